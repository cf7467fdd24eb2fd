//! The rules of the house: the core is pure, arrows go one way and in no circle, doors are used, files stay small.

mod circles;
mod code;
mod made_up;
mod map;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use circles::circles;
use code::Code;
use map::Map;
use tokens::{production, tokens};

/// Lines of a source file, its tests included.
const LONGEST_SOURCE: usize = 450;

/// Lines of a file of tests.
const LONGEST_TEST: usize = 500;

/// A Rust file.
struct Source {
    /// Below its folder.
    path: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<Source> {
    let top = root().join(folder);
    let mut found = Vec::new();
    let mut folders = vec![top.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "rs" => found.push(read(&top, path)),
                _ => {}
            }
        }
    }
    assert!(!found.is_empty(), "no source in {folder}");
    found
}

fn read(top: &Path, path: PathBuf) -> Source {
    let text = fs::read_to_string(&path).unwrap();
    Source { path: path.strip_prefix(top).unwrap().to_str().unwrap().to_owned(), text }
}

fn map(sources: &[Source]) -> Map {
    Map::of(sources.iter().map(|source| (source.path.as_str(), source.text.as_str())))
}

#[test]
fn the_core_is_pure() {
    let banned = ["tokio", "tracing", "socket2", "libc", "nix", "SystemTime"];
    let banned_in_std = ["net", "io", "fs", "thread", "env"];
    for Source { path, text } in sources("src/core") {
        let all = tokens(&text);
        for word in banned {
            assert!(!all.contains(&word), "{path} names {word}");
        }
        for named in Code::of(&all).all_paths() {
            let is_banned = |name: &String| banned_in_std.contains(&name.as_str());
            assert!(named[0] != "std" || !named.get(1).is_some_and(is_banned), "{path} names {named:?}");
        }
        let asks_a_clock = production(&all).windows(3).any(|found| found == ["Instant", "::", "now"]);
        assert!(path.ends_with("tests.rs") || !asks_a_clock, "{path} asks a clock");
    }
}

#[test]
fn arrows_go_one_way() {
    let arrows = drawn_arrows();
    for (file, code) in map(&sources("src")).codes() {
        let room = room(file);
        if room == "lib" {
            continue; // it only lists the rooms
        }
        let allowed = arrows.get(room).unwrap_or_else(|| panic!("no arrows for room {room}"));
        for path in code.all_paths().filter(|path| matches!(path[0].as_str(), "crate" | "pulse_echo")) {
            let target = path.get(1).map_or("", String::as_str);
            assert!(target == room || allowed.contains(target), "{file}: {room} must not name {target}");
        }
    }
}

/// The arrows that docs/architecture.md draws.
fn drawn_arrows() -> BTreeMap<String, BTreeSet<String>> {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let block = page.split("```arrows\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let line = |line: &str| {
        let (room, targets) = line.split_once("->").unwrap();
        (room.trim().to_owned(), targets.split_whitespace().map(str::to_owned).collect())
    };
    block.lines().map(line).collect()
}

/// `net/server.rs` is in the room `net`, `main.rs` is one of its own.
fn room(file: &str) -> &str {
    let first = file.split('/').next().unwrap();
    first.strip_suffix(".rs").unwrap_or(first)
}

#[test]
fn no_files_name_each_other_in_a_circle() {
    let arrows = map(&sources("src")).arrows();
    let count: usize = arrows.values().map(BTreeSet::len).sum();
    assert!(count > arrows.len(), "{count} arrows between {} files: some were overlooked", arrows.len());
    let found: Vec<String> = circles(&arrows).iter().map(|files| files.join(" -> ")).collect();
    assert!(found.is_empty(), "circles:\n{}", found.join("\n"));
}

#[test]
fn rooms_are_entered_by_their_doors() {
    let sources = sources("src");
    let map = map(&sources);
    let found = map.past_doors();
    assert!(found.is_empty(), "past doors:\n{}", found.join("\n"));
    for (file, code) in map.codes() {
        assert!(code.modules_inside.is_empty(), "{file}: modules are files, not {:?}", code.modules_inside);
    }
}

#[test]
fn files_tell_one_story() {
    for (folder, longest) in [("src", LONGEST_SOURCE), ("tests", LONGEST_TEST)] {
        for Source { path, text } in sources(folder) {
            let lines = text.lines().count();
            assert!(lines <= longest, "{folder}/{path} has {lines} lines, more than {longest}");
        }
    }
}
