//! From a path to a text, or to clear words why not.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::problems::{Findings, Problem, Problems};

/// Some editors put it in front of a text; it is skipped.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// Far above any real configuration, which is some hundred bytes for each listener.
const LARGEST_BYTES: u64 = 1024 * 1024;

/// The text of the file at `path`.
pub(super) fn read(path: &Path) -> Result<String, Problems> {
    let file = open(path).map_err(|error| cannot_be_read(path, &error))?;
    let metadata = file.metadata().map_err(|error| cannot_be_read(path, &error))?;
    if metadata.is_dir() {
        return Err(whole_file(path, "is a directory".to_owned(), Some("give the file in it")));
    }
    if !metadata.is_file() {
        let message = "is no plain file but a pipe, a socket or a device";
        return Err(whole_file(
            path,
            message.to_owned(),
            Some("`check` alone reads a pipe: --config /dev/stdin"),
        ));
    }
    read_from(file, path)
}

/// A pipe that nobody writes to must not be waited for: a reload reads on a control thread.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits()).open(path)
}

/// The text that `input` has, which messages call `path`.
pub(super) fn read_from(input: impl Read, path: &Path) -> Result<String, Problems> {
    // At most one byte more than allowed, however long it is.
    let mut bytes = Vec::new();
    let read = input.take(LARGEST_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| cannot_be_read(path, &error))?;
    if bytes.len() as u64 > LARGEST_BYTES {
        let message = format!("given more than {LARGEST_BYTES} bytes, allowed: up to 1 MiB");
        return Err(whole_file(path, message, None));
    }
    String::from_utf8(bytes).map_err(|error| not_utf8(path, error.as_bytes(), error.utf8_error()))
}

fn cannot_be_read(path: &Path, error: &io::Error) -> Problems {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => Some("`pulse-echo default-config` prints a file to start from"),
        io::ErrorKind::PermissionDenied => Some("the user that runs pulse-echo must be able to read it"),
        _ if error.raw_os_error() == Some(nix::libc::ENXIO) => Some("a socket is no plain file"),
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
