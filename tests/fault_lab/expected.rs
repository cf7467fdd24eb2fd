//! What the daemon has to say of a fault, and how soon.

use std::net::SocketAddr;
use std::time::Duration;

use crate::lab::Lab;
use crate::support::record::{Record, number, text};

/// Time enough for a few retransmissions and window probes, which begin after 200 ms and double.
pub const SETTINGS: &str = "
    deadlines = { read = '4s', write = '4s' }
    heartbeat = { interval = '1s', timeout = '1s', max_missed = 2 }";

const INTERVAL: Duration = Duration::from_secs(1);
const DETECTION: Duration = Duration::from_secs(3);
const READ: Duration = Duration::from_secs(4);
const WRITE: Duration = Duration::from_secs(4);

/// The first probe comes up to a fifth of the interval early.
const JITTER: Duration = Duration::from_millis(200);

/// The kernel counts in ticks.
const TICK: Duration = Duration::from_millis(10);

/// Below its bound a fault must not be found, beyond it only as late as a busy machine makes it.
const LATE: Duration = Duration::from_secs(3);

/// How a connection must end.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    pub reason: &'static str,
    /// With this verdict; `None`: without one.
    pub verdict: Option<&'static str>,
    errno: Option<&'static str>,
    /// Bounds of the time since the last received byte.
    least: Duration,
    most: Duration,
}

pub fn heartbeat_timeout(verdict: &'static str) -> Expected {
    after(DETECTION - JITTER, DETECTION, "heartbeat_timeout").with(verdict)
}

pub fn read_timeout(verdict: &'static str) -> Expected {
    after(READ, READ, "read_timeout").with(verdict)
}

/// Nothing is read while a write waits, so the last received byte is from before the last that the peer took.
pub fn write_timeout(verdict: &'static str) -> Expected {
    after(WRITE, WRITE * 2, "write_timeout").with(verdict)
}

/// Of settings that a test has chosen itself: when the deadline comes, or a first probe earlier.
pub fn deadline(reason: &'static str, verdict: &'static str, deadline: Duration) -> Expected {
    after(deadline.mul_f64(0.8), deadline, reason).with(verdict)
}

/// The kernel gave up the keepalive.
pub fn network_timeout() -> Expected {
    after(DETECTION - TICK, DETECTION, "network_timeout").by("ETIMEDOUT")
}

/// The kernel gave up to retransmit, and knew why.
pub fn network_unreachable(errno: &'static str) -> Expected {
    after(Duration::ZERO, READ, "network_unreachable").by(errno)
}

/// The next probe meets a host that knows nothing of the connection.
pub fn peer_reset() -> Expected {
    after(Duration::ZERO, INTERVAL, "peer_reset").by("ECONNRESET")
}

pub fn peer_closed() -> Expected {
    after(Duration::ZERO, INTERVAL, "peer_closed")
}

fn after(least: Duration, bound: Duration, reason: &'static str) -> Expected {
    Expected { reason, verdict: None, errno: None, least, most: bound + LATE }
}

/// How far a record agrees with what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    Full,
    /// The right reason, and an honest `unknown`.
    Unknown,
    /// The right reason, the wrong verdict.
    WrongVerdict,
    WrongReason,
}

impl Expected {
    fn with(self, verdict: &'static str) -> Expected {
        Expected { verdict: Some(verdict), ..self }
    }

    fn by(self, errno: &'static str) -> Expected {
        Expected { errno: Some(errno), ..self }
    }

    pub fn agreement(&self, close: &Record) -> Agreement {
        let errno_is_right = self.errno.is_none_or(|errno| close["errno"] == errno);
        match close["verdict"].as_str() {
            _ if close["reason"] != self.reason || !errno_is_right => Agreement::WrongReason,
            verdict if verdict == self.verdict => Agreement::Full,
            Some("unknown") => Agreement::Unknown,
            _ => Agreement::WrongVerdict,
        }
    }

    /// That it was neither given up too early nor found too late.
    #[track_caller]
    pub fn check_time(&self, close: &Record) {
        let took = Duration::from_millis(number(close, "idle_ms"));
        let bounds = self.least..=self.most;
        assert!(bounds.contains(&took), "{took:?} is not within {bounds:?}: {close}");
    }
}

impl Lab {
    /// Waits until the connection of the client at `peer` has ended as it must, and in time.
    #[track_caller]
    pub fn expect(&self, fault: &str, peer: SocketAddr, expected: Expected) -> Record {
        self.see(fault, peer, expected, &[Agreement::Full])
    }

    /// As [`Lab::expect`], where the evidence is not always enough.
    #[track_caller]
    pub fn expect_at_best(&self, fault: &str, peer: SocketAddr, expected: Expected) -> Record {
        self.see(fault, peer, expected, &[Agreement::Full, Agreement::Unknown])
    }

    /// As [`Lab::expect`], where more than the last sample of the evidence decides.
    #[track_caller]
    pub fn expect_verdict(&self, fault: &str, peer: SocketAddr, expected: Expected) -> Record {
        self.judge(fault, peer, expected, &[Agreement::Full])
    }

    /// That no connection has ended so far.
    #[track_caller]
    pub fn expect_no_close(&self) {
        let closes = self.daemon.records("close");
        assert!(closes.is_empty(), "nobody was lost, but: {closes:?}");
    }

    #[track_caller]
    fn see(&self, fault: &str, peer: SocketAddr, expected: Expected, fine: &[Agreement]) -> Record {
        let close = self.judge(fault, peer, expected, fine);
        check_evidence(&close);
        close
    }

    #[track_caller]
    fn judge(&self, fault: &str, peer: SocketAddr, expected: Expected, fine: &[Agreement]) -> Record {
        let close = self.daemon.wait_for_close(peer);
        let took = Duration::from_millis(number(&close, "idle_ms"));
        let (protocol, reason) = (text(&close, "listener"), text(&close, "reason"));
        let verdict = close["verdict"].as_str().or(close["errno"].as_str()).unwrap_or("-");
        eprintln!("{fault:44} {protocol:5} {reason:20} {verdict:17} {:.1} s", took.as_secs_f64());
        let agreement = expected.agreement(&close);
        assert!(fine.contains(&agreement), "{fault}: {agreement:?} with {expected:?}: {close}");
        expected.check_time(&close);
        close
    }
}

/// That the evidence bears the verdict out.
#[track_caller]
pub fn check_evidence(close: &Record) {
    let [unacked, retransmits, unsent, window, probes, last_ack_ms] = [
        "tcp_unacked",
        "tcp_retransmits",
        "tcp_notsent_bytes",
        "tcp_snd_wnd",
        "tcp_probes",
        "tcp_last_ack_ms",
    ]
    .map(|field| close[field].as_u64());
    let Some(verdict) = close["verdict"].as_str() else {
        return;
    };
    let all_acknowledged = (unacked, unsent) == (Some(0), Some(0));
    let bears_out = match verdict {
        "path_lost" => unacked > Some(0) || probes > Some(0),
        "peer_hung" => {
            all_acknowledged && retransmits == Some(0) && close["probes_missed"].as_u64() > Some(0)
        }
        "peer_not_reading" => unsent > Some(0) && window < unsent,
        // A keepalive was answered no longer ago than one comes after the other.
        "peer_idle" => all_acknowledged && last_ack_ms.is_some_and(|last_ack_ms| last_ack_ms <= 2000),
        _ => true,
    };
    assert!(bears_out, "{close}");
}
