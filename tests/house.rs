//! The rules of the house: the core is pure, arrows go one way, files stay small.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const LONGEST_FILE_IN_LINES: usize = 500;

/// A source file and its code, comments left out.
struct Source {
    path: PathBuf,
    code: String,
    lines: usize,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "rs" => found.push(read(path)),
                _ => {}
            }
        }
    }
    assert!(!found.is_empty(), "no source in {folder}");
    found
}

fn read(path: PathBuf) -> Source {
    let text = fs::read_to_string(&path).unwrap();
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    Source { lines: text.lines().count(), code: code.collect::<Vec<_>>().join("\n"), path }
}

/// The words of a text: identifiers and the like.
fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|character: char| !character.is_alphanumeric() && character != '_')
}

#[test]
fn the_core_is_pure() {
    let banned = ["tokio", "tracing", "socket2", "libc", "nix", "SystemTime"];
    let banned_paths = ["std::net", "std::io", "std::fs", "std::thread", "std::env"];
    for source in sources("src/core") {
        let production = source.code.split("#[cfg(test)]").next().unwrap();
        for word in banned {
            assert!(words(&source.code).all(|found| found != word), "{:?} names {word}", source.path);
        }
        for path in banned_paths {
            assert!(!source.code.contains(path), "{:?} names {path}", source.path);
        }
        let is_test = source.path.ends_with("tests.rs");
        assert!(is_test || !production.contains("Instant::now"), "{:?} asks a clock", source.path);
    }
}

#[test]
fn arrows_go_one_way() {
    let arrows = arrows();
    for source in sources("src") {
        let room = room(&source.path);
        if room == "lib" {
            continue; // it only lists the rooms
        }
        let allowed = arrows.get(&room).unwrap_or_else(|| panic!("no arrows for room {room}"));
        for target in named_rooms(&source.code) {
            let fine = target == room || allowed.contains(&target);
            assert!(fine, "{:?}: {room} must not name {target}", source.path);
        }
    }
}

/// The arrows that docs/architecture.md draws.
fn arrows() -> BTreeMap<String, BTreeSet<String>> {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let block = page.split("```arrows\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let line = |line: &str| {
        let (room, targets) = line.split_once("->").unwrap();
        (room.trim().to_owned(), targets.split_whitespace().map(str::to_owned).collect())
    };
    block.lines().map(line).collect()
}

/// `src/net/server.rs` is in the room `net`, `src/main.rs` is one of its own.
fn room(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str();
    Path::new(first).file_stem().unwrap().to_string_lossy().into_owned()
}

fn named_rooms(code: &str) -> BTreeSet<String> {
    let paths = code.split("crate::").skip(1).chain(code.split("pulse_echo::").skip(1));
    let heads = paths.flat_map(|path| match path.strip_prefix('{') {
        Some(group) => heads_of_group(group),
        None => vec![words(path).next().unwrap_or_default().to_owned()],
    });
    heads.filter(|head| !head.is_empty()).collect()
}

/// The first word of each path in `a::b, c, d::{e, f}}`.
fn heads_of_group(group: &str) -> Vec<String> {
    let (mut heads, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                heads.push(words(group[start..at].trim()).next().unwrap_or_default().to_owned());
                start = at + 1;
                if character == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    heads
}

#[test]
fn files_tell_one_story() {
    for source in sources("src").into_iter().chain(sources("tests")) {
        let lines = source.lines;
        assert!(lines <= LONGEST_FILE_IN_LINES, "{:?} has {lines} lines", source.path);
    }
}
