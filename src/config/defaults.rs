//! What holds where a file is silent: the values of the annotated default file, as a test proves.

use std::time::Duration;

use super::setting::Setting;
use super::settings::Timing;
use super::{Count, Log, Server};
use crate::ops::logging::{LogFormat, LogLevel};

impl Default for Server {
    fn default() -> Self {
        Server { workers: Count::Auto, max_connections: Count::Auto, shutdown_grace: Duration::from_secs(10) }
    }
}

impl Default for Log {
    fn default() -> Self {
        Log {
            format: LogFormat::Auto,
            level: LogLevel::Info,
            summary_interval: Some(Duration::from_secs(60)),
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            read: Setting::built_in(Some(Duration::from_secs(60))),
            write: Setting::built_in(Some(Duration::from_secs(10))),
            lifetime: Setting::built_in(None),
            interval: Setting::built_in(Some(Duration::from_secs(15))),
            timeout: Setting::built_in(Duration::from_secs(5)),
            max_missed: Setting::built_in(3),
        }
    }
}
