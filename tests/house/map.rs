//! The map: all modules of the crate, and which file a name leads to.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::{Code, Path, Use};
use crate::tokens::{production, tokens};

/// Whom each file names, by their paths in src.
pub type Arrows = BTreeMap<String, BTreeSet<String>>;

/// The crate's modules by their paths; the root is the empty one.
pub struct Map(BTreeMap<Path, Module>);

struct Module {
    file: String,
    code: Code,
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Module(Path),
    /// Something that this module defines.
    In(Path),
}

/// A `use` of a re-export of a `use` …: more than this is a circle of them.
const MOST_HOPS: usize = 16;

impl Map {
    /// Of files by their paths in src. What only tests have is left out.
    pub fn of<'f>(files: impl IntoIterator<Item = (&'f str, &'f str)>) -> Map {
        let files = files.into_iter().filter(|(file, _)| !file.ends_with("tests.rs"));
        let modules = files.map(|(file, text)| {
            let code = Code::of(&production(&tokens(text)));
            (module_path(file), Module { file: file.to_owned(), code })
        });
        Map(modules.collect())
    }

    /// Every file's names, without those in tests.
    pub fn codes(&self) -> impl Iterator<Item = (&str, &Code)> {
        self.0.values().map(|module| (module.file.as_str(), &module.code))
    }

    /// Whom each file names. The way there, through doors and what they re-export, does not count; neither
    /// does a door that re-exports a name without using it.
    pub fn arrows(&self) -> Arrows {
        let mut arrows = Arrows::new();
        for (own, module) in &self.0 {
            let targets = arrows.entry(module.file.clone()).or_default();
            let is_used = |found: &&Use| !found.is_public || module.code.words.contains(&found.name);
            for found in module.code.uses.iter().filter(is_used) {
                match self.place(own, &found.path, MOST_HOPS) {
                    Some(Place::In(target)) => _ = targets.insert(self.0[&target].file.clone()),
                    Some(Place::Module(target)) if found.name == "*" => {
                        targets.insert(self.0[&target].file.clone());
                    }
                    // What is taken from a module is named where it is taken.
                    Some(Place::Module(_)) | None => {}
                }
            }
            for path in &module.code.paths {
                if let Some(Place::In(target)) = self.place(own, path, MOST_HOPS) {
                    targets.insert(self.0[&target].file.clone());
                }
            }
            targets.remove(&module.file);
        }
        arrows
    }

    /// Paths from outside a folder past its door: through a module that the door does not publish.
    pub fn past_doors(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (own, module) in &self.0 {
            for path in module.code.all_paths() {
                if self.is_past_a_door(own, path) {
                    found.push(format!("{}: {}", module.file, path.join("::")));
                }
            }
        }
        found
    }

    fn is_past_a_door(&self, own: &Path, path: &[String]) -> bool {
        let heads = (1..path.len()).map(|length| self.place(own, &path[..length], MOST_HOPS));
        heads.zip(&path[1..]).any(|(room, next)| match room {
            Some(Place::Module(room)) if !own.starts_with(&room) => {
                let modules = self.0[&room].code.modules.iter();
                let mut named = modules.filter(|(name, _)| name == next).peekable();
                let is_name_too = self.use_named(&room, next, true).is_some();
                named.peek().is_some() && !is_name_too && named.all(|(_, is_published)| !is_published)
            }
            _ => false,
        })
    }

    /// What a path in a module leads to; `None`: out of the crate, or nowhere but to the file itself.
    fn place(&self, own: &Path, path: &[String], hops: usize) -> Option<Place> {
        assert!(hops > 0, "{own:?}: {path:?} leads in a circle");
        let (head, mut rest) = path.split_first()?;
        let mut place = match head.as_str() {
            "crate" | "pulse_echo" => Place::Module(Path::new()),
            "self" => Place::Module(own.clone()),
            "super" => Place::Module(parent(own)),
            _ => self
                .member(own, head, rest.is_empty(), hops)
                .filter(|place| *place != Place::In(own.clone()))?,
        };
        while let Some((segment, next)) = rest.split_first() {
            place = match place {
                Place::Module(module) if segment == "super" => Place::Module(parent(&module)),
                Place::Module(module) => self.member(&module, segment, next.is_empty(), hops)?,
                Place::In(module) => return Some(Place::In(module)), // an associated item, or a variant
            };
            rest = next;
        }
        Some(place)
    }

    /// What a name in a module stands for. A module and a function may have the same: the one is where a path
    /// goes through, the other where it ends.
    fn member(&self, module: &Path, name: &str, is_last: bool, hops: usize) -> Option<Place> {
        let code = &self.0.get(module)?.code;
        let child = code.modules.iter().any(|(child, _)| child == name);
        let child = child.then(|| Place::Module([module.as_slice(), &[name.to_owned()]].concat()));
        let used = self.use_named(module, name, is_last).filter(|_| is_last || child.is_none());
        match used {
            Some(found) => self.place(module, &found.path, hops - 1),
            None => Some(child.unwrap_or(Place::In(module.clone()))),
        }
    }

    fn use_named(&self, module: &Path, name: &str, is_last: bool) -> Option<&Use> {
        let is_new = |path: &Path| match path.as_slice() {
            [only] => only != name, // `pub use name;` gives a macro of the same file a path
            [head, ..] => is_last || head != name, // `use name::name;` of a crate or a child
            [] => true,
        };
        let uses = &self.0.get(module)?.code.uses;
        uses.iter().find(|found| found.name == name && is_new(&found.path))
    }
}

/// `net/listen/mod.rs` is `net::listen`, `lib.rs` the root.
fn module_path(file: &str) -> Path {
    let name = file.strip_suffix(".rs").expect("a Rust file");
    let name = name.strip_suffix("mod").or(name.strip_suffix("lib")).unwrap_or(name);
    name.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
}

fn parent(module: &Path) -> Path {
    module[..module.len().saturating_sub(1)].to_vec()
}
