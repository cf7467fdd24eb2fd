//! Circles: files that name each other, directly or through others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::map::Arrows;

/// The shortest circle through each file that is on one: its files, from the first of them back to that.
pub fn circles(arrows: &Arrows) -> BTreeSet<Vec<&str>> {
    arrows.keys().filter_map(|file| circle(arrows, file)).collect()
}

fn circle<'a>(arrows: &'a Arrows, start: &'a String) -> Option<Vec<&'a str>> {
    let mut came_from = BTreeMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(file) = next.pop_front() {
        for target in arrows.get(file).into_iter().flatten() {
            if came_from.contains_key(target) {
                continue;
            }
            came_from.insert(target, file);
            if target == start {
                return Some(way_round(&came_from, start));
            }
            next.push_back(target);
        }
    }
    None
}

/// The same circle is the same list, from wherever it was found.
fn way_round<'a>(came_from: &BTreeMap<&'a String, &'a String>, start: &'a String) -> Vec<&'a str> {
    let mut files = vec![start.as_str()];
    let mut file = came_from[start];
    while file != start {
        files.push(file);
        file = came_from[file];
    }
    files.reverse();
    let first = files.iter().enumerate().min_by_key(|(_, file)| **file).map_or(0, |(at, _)| at);
    files.rotate_left(first);
    files.push(files[0]);
    files
}
