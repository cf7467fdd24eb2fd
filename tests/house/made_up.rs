//! The checker itself, on sources made up for it: it must not find peace by finding nothing.

use crate::circles::circles;
use crate::map::Map;

fn circles_in(files: &[(&str, &str)]) -> Vec<String> {
    circles(&Map::of(files.iter().copied()).arrows()).iter().map(|files| files.join(" -> ")).collect()
}

fn targets(files: &[(&str, &str)], file: &str) -> Vec<String> {
    Map::of(files.iter().copied()).arrows()[file].iter().cloned().collect()
}

#[test]
fn two_files_that_name_each_other_are_a_circle() {
    let files = [
        ("lib.rs", "pub mod a; pub mod b;"),
        ("a.rs", "use crate::b::B; pub struct A(B);"),
        ("b.rs", "pub struct B; impl B { fn of(_: super::a::A) {} }"),
    ];
    assert_eq!(circles_in(&files), ["a.rs -> b.rs -> a.rs"]);
}

#[test]
fn a_circle_is_told_with_all_its_files_once() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::b; fn f() { b::f() }"),
        ("b.rs", "use crate::{c::{self, C}}; fn f(_: C) { c::f() }"),
        ("c.rs", "pub struct C; pub fn f() { super::a::f() }"),
        ("d.rs", "use crate::a::f;"),
    ];
    assert_eq!(circles_in(&files), ["a.rs -> b.rs -> c.rs -> a.rs"]);
}

#[test]
fn a_door_and_a_room_behind_it_that_name_each_other_are_a_circle() {
    let door = "mod child; use child::Child; pub struct Item(Child);";
    let files = [
        ("lib.rs", "mod room;"),
        ("room/mod.rs", door),
        ("room/child.rs", "use super::Item; pub struct Child;"),
    ];
    assert_eq!(circles_in(&files), ["room/child.rs -> room/mod.rs -> room/child.rs"]);
}

#[test]
fn a_door_that_uses_what_it_re_exports_names_it() {
    let child = ("room/child.rs", "pub struct Child(super::Item);");
    let only_shown = "mod child; pub use child::Child; pub struct Item;";
    assert!(circles_in(&[("lib.rs", "mod room;"), ("room/mod.rs", only_shown), child]).is_empty());
    let used = "mod child; pub use child::Child; pub struct Item(Child);";
    assert_eq!(circles_in(&[("lib.rs", "mod room;"), ("room/mod.rs", used), child]).len(), 1);
}

#[test]
fn a_name_leads_through_doors_to_the_file_that_defines_it() {
    let files = [
        ("lib.rs", "pub mod net; pub mod user;"),
        ("net/mod.rs", "mod deep; pub use deep::{Named as Renamed, function};"),
        (
            "net/deep/mod.rs",
            "mod function; mod named; pub use function::function; pub use named::*; pub use named::Named;",
        ),
        ("net/deep/named.rs", "pub struct Named; fn f() { super::function::function() }"),
        ("net/deep/function.rs", "pub fn function() {}"),
        ("user.rs", "use crate::net::Renamed; fn f() { let _ = Renamed::ALL; }"),
        ("main.rs", "use pulse_echo::net; fn main() { net::function() }"),
    ];
    assert_eq!(targets(&files, "user.rs"), ["net/deep/named.rs"]);
    assert_eq!(targets(&files, "main.rs"), ["net/deep/function.rs"]);
    assert_eq!(targets(&files, "net/deep/named.rs"), ["net/deep/function.rs"]);
    assert!(targets(&files, "net/mod.rs").is_empty());
}

#[test]
fn a_crate_and_what_is_taken_of_it_may_have_one_name() {
    let files = [
        ("lib.rs", "mod room; mod user;"),
        ("room/mod.rs", "mod changes; pub use changes::changes;"),
        ("room/changes.rs", "pub fn changes() {}"),
        ("user.rs", "use crate::room::changes; use anyhow::{self, anyhow}; fn f() { anyhow::of(changes()) }"),
    ];
    assert_eq!(targets(&files, "user.rs"), ["room/changes.rs"]);
}

#[test]
fn a_macro_with_a_path_is_a_name_like_others() {
    let files = [
        ("lib.rs", "mod listed; mod user;"),
        ("listed.rs", "macro_rules! listed { () => {} } pub(super) use listed;"),
        ("user.rs", "use super::listed::listed; listed! {}"),
    ];
    assert_eq!(targets(&files, "user.rs"), ["listed.rs"]);
}

#[test]
fn tests_may_name_whom_they_test() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B; #[cfg(test)] mod tests;"),
        ("a/tests.rs", "use super::*; use crate::b::B;"),
        ("b.rs", "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }"),
    ];
    assert!(circles_in(&files).is_empty());
}

#[test]
fn the_whole_of_a_module_is_a_name_of_its_file() {
    let files = [("lib.rs", "mod a; mod b;"), ("a.rs", "use super::b::*;"), ("b.rs", "use super::a::*;")];
    assert_eq!(circles_in(&files), ["a.rs -> b.rs -> a.rs"]);
}

#[test]
fn nobody_reaches_past_a_door() {
    let files = [
        ("lib.rs", "mod room; mod user;"),
        ("room/mod.rs", "mod hidden; pub(crate) mod half; pub mod shown; pub use hidden::Hidden;"),
        ("room/hidden.rs", "use super::half::Half; fn f() { crate::room::half::f() }"),
        ("room/half.rs", ""),
        ("room/shown.rs", ""),
        (
            "user.rs",
            "use crate::room::{Hidden, half::Half, shown::f}; use super::room; fn f() { room::hidden::f() }",
        ),
    ];
    let found = Map::of(files).past_doors();
    assert_eq!(found, ["user.rs: crate::room::half::Half", "user.rs: room::hidden::f"]);
}
