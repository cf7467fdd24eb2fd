//! From a path to a text, or to clear words why not.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::problems::{Findings, Problem, Problems};

/// Some editors put it in front of a text; it is skipped.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// Far above any real configuration, which is some hundred bytes for each listener.
const LARGEST_BYTES: u64 = 1024 * 1024;

/// The text of the file at `path`.
pub(super) fn read(path: &Path) -> Result<String, Problems> {
    let bytes = read_bytes(path).map_err(|error| cannot_be_read(path, &error))?;
    if bytes.len() as u64 > LARGEST_BYTES {
        let message = format!("given more than {LARGEST_BYTES} bytes, allowed: up to 1 MiB");
        return Err(whole_file(path, message, None));
    }
    String::from_utf8(bytes).map_err(|error| not_utf8(path, error.as_bytes(), error.utf8_error()))
}

/// At most one byte more than allowed, however long the file is: a size that is asked for first
/// says nothing about a device or a pipe.
fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn cannot_be_read(path: &Path, error: &io::Error) -> Problems {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => Some("`pulse-echo default-config` prints a file to start from"),
        io::ErrorKind::IsADirectory => Some("give the file in it"),
        io::ErrorKind::PermissionDenied => Some("the user that runs pulse-echo must be able to read it"),
        _ => None,
    };
    whole_file(path, format!("cannot be read: {error}"), hint)
}

fn not_utf8(path: &Path, bytes: &[u8], error: std::str::Utf8Error) -> Problems {
    let good = String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default());
    let utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let problem = Problem {
        place: Some(Findings::new(&good).place(good.len())),
        key: String::new(),
        message: "given bytes that are not UTF-8, allowed: UTF-8 text".to_owned(),
        hint: utf16.then(|| "this looks like UTF-16: save it as UTF-8".to_owned()),
    };
    Problems::only(path.display().to_string(), problem)
}

fn whole_file(path: &Path, message: String, hint: Option<&str>) -> Problems {
    let problem = Problem { place: None, key: String::new(), message, hint: hint.map(str::to_owned) };
    Problems::only(path.display().to_string(), problem)
}
