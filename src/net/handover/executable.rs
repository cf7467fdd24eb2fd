//! Where this program was started from. An upgrade puts another file there, or points a symbolic link at it.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf, absolute};

/// The path by which this program was started, its symbolic links as they are; or, where that is not known, the path of its file.
/// To be asked at the start: later either may be another file's, or none.
///
/// # Errors
/// The system tells neither.
pub fn path_of_this_program() -> io::Result<PathBuf> {
    let name = env::args_os().next().unwrap_or_default();
    let search_path = env::var_os("PATH").unwrap_or_default();
    match started_by(&name, &search_path).find(|path| is_this_program(path)) {
        Some(path) => Ok(path),
        None => env::current_exe(),
    }
}

/// What `name` may have meant, see execvp(3).
fn started_by(name: &OsStr, search_path: &OsStr) -> impl Iterator<Item = PathBuf> {
    let is_path = name.as_encoded_bytes().contains(&b'/');
    let direct = is_path.then(|| PathBuf::from(name));
    let folders = (!is_path && !name.is_empty()).then(|| env::split_paths(search_path));
    let found = folders.into_iter().flatten().map(|folder| folder.join(name)).collect::<Vec<_>>();
    direct.into_iter().chain(found).filter_map(|path| absolute(path).ok())
}

/// Names can lie: whoever starts a program chooses what it is told.
fn is_this_program(path: &Path) -> bool {
    let file = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    file(path).is_some_and(|this| file(Path::new("/proc/self/exe")) == Some(this))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn possible(name: &str, search_path: &str) -> Vec<PathBuf> {
        started_by(OsStr::new(name), OsStr::new(search_path)).collect()
    }

    #[test]
    fn a_path_is_what_it_says() {
        let here = env::current_dir().unwrap();
        assert_eq!(possible("/opt/pulse-echo", "/bin"), [PathBuf::from("/opt/pulse-echo")]);
        assert_eq!(possible("./pulse-echo", "/bin"), [here.join("pulse-echo")]);
        assert_eq!(possible("target/../x", "/bin"), [here.join("target/../x")], "links are not followed");
    }

    #[test]
    fn a_name_is_looked_for() {
        let here = env::current_dir().unwrap();
        let found = ["/a/x".into(), here.join("b/x"), here.join("x")];
        assert_eq!(possible("x", "/a:b:"), found);
        assert!(possible("", "/a").is_empty());
    }

    #[test]
    fn whose_name_lies_is_found_by_its_file() {
        assert!(is_this_program(&env::current_exe().unwrap()));
        assert!(!is_this_program(Path::new("/bin/sh")));
        assert!(!is_this_program(Path::new("/nonexistent")));
    }
}
