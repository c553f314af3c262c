//! The modules of the crates, and which file a path leads to.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::facts::{Facts, Place};
use crate::house::Storeys;
use crate::source::Source;

/// How many re-exports of re-exports are followed.
const DEPTH_MAX: usize = 16;

/// A module: in a file of its own, or in that of another.
struct Module {
    /// Index among the sources.
    file: usize,
    root: usize,
    parent: usize,
    children: BTreeMap<String, usize>,
    /// What `use` brings: the whole path that each name stands for.
    names: HashMap<String, Vec<String>>,
    /// What `use` brings all of.
    globs: Vec<Vec<String>>,
    items: BTreeSet<String>,
    /// Whether only tests have it.
    in_tests: bool,
}

/// What a module is in.
struct Above {
    parent: usize,
    root: usize,
    in_tests: bool,
}

/// Where a path leads to.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Target {
    Module(usize),
    /// Something in a file.
    Item(usize),
}

/// All modules of some crates.
pub(crate) struct Modules<'a> {
    sources: &'a [Source],
    /// By path.
    files: HashMap<&'a str, usize>,
    crates: HashMap<&'a str, usize>,
    modules: Vec<Module>,
    /// By file and the inline modules in it.
    places: HashMap<(usize, Vec<String>), usize>,
}

impl<'a> Modules<'a> {
    /// Follows the modules of crates, each with its name and its first file. A crate that is not
    /// there is left out.
    pub(crate) fn of(sources: &'a [Source], crates: &[(&'a str, &str)]) -> Modules<'a> {
        let files = sources.iter().enumerate().map(|(at, source)| (source.path.as_str(), at));
        let mut modules = Modules {
            sources,
            files: files.collect(),
            crates: HashMap::new(),
            modules: Vec::new(),
            places: HashMap::new(),
        };
        for (name, first_file) in crates {
            let Some(&file) = modules.files.get(first_file) else { continue };
            let folder = first_file.rsplit_once('/').map_or("", |(folder, _)| folder);
            let root = modules.modules.len();
            modules.crates.insert(name, root);
            modules.add(file, &[], folder, &Above { parent: root, root, in_tests: false });
        }
        modules
    }

    /// Adds a module and those below it.
    fn add(&mut self, file: usize, inline: &[String], folder: &str, above: &Above) {
        let at = self.modules.len();
        let Some(facts) = &self.sources[file].facts else { return };
        self.modules.push(Module::read(facts, inline, file, above));
        self.places.insert((file, inline.to_vec()), at);
        for module in facts.modules.iter().filter(|module| module.place.modules == inline) {
            let below = format!("{folder}/{}", module.name);
            let in_tests = above.in_tests || module.place.in_tests;
            let above = Above { parent: at, root: above.root, in_tests };
            let child = self.modules.len();
            if module.has_body {
                let inline = [inline, std::slice::from_ref(&module.name)].concat();
                self.add(file, &inline, &below, &above);
            } else if let Some(file) = self.file_of(&below) {
                self.add(file, &[], &below, &above);
            }
            if self.modules.len() > child {
                self.modules[at].children.insert(module.name.clone(), child);
            }
        }
    }

    fn file_of(&self, module: &str) -> Option<usize> {
        let names = [format!("{module}.rs"), format!("{module}/mod.rs")];
        names.iter().find_map(|name| self.files.get(name.as_str())).copied()
    }

    /// Whether a file belongs to one of the crates, other than for its tests.
    pub(crate) fn has(&self, file: usize) -> bool {
        let module = self.places.get(&(file, Vec::new()));
        module.is_some_and(|module| !self.modules[*module].in_tests)
    }

    /// Files of the rooms that are in no crate, so that nothing would be checked for them.
    pub(crate) fn check_all_have_a_crate(&self, rooms: &[Storeys], report: &mut Vec<String>) {
        for (at, source) in self.sources.iter().enumerate().filter(|(_, s)| s.facts.is_some()) {
            let is_in_a_room = rooms.iter().any(|(folder, _)| {
                source.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
            });
            if is_in_a_room && !self.places.contains_key(&(at, Vec::new())) {
                report.push(format!("{}: is a module of no crate", source.path));
            }
        }
    }

    /// The file that something is in.
    pub(crate) fn file(&self, target: Target) -> usize {
        match target {
            Target::Module(module) => self.modules[module].file,
            Target::Item(file) => file,
        }
    }

    /// What a path means at a place of a file, if it is ours.
    pub(crate) fn resolve(&self, file: usize, place: &Place, path: &[String]) -> Option<Target> {
        let at = *self.places.get(&(file, place.modules.clone()))?;
        self.lookup(at, path, 0)
    }

    fn lookup(&self, at: usize, path: &[String], depth: usize) -> Option<Target> {
        let module = &self.modules[at];
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "" => self.walk(*self.crates.get(rest.first()?.as_str())?, &rest[1..], depth),
            "crate" => self.walk(module.root, rest, depth),
            "self" => self.walk(at, rest, depth),
            "super" => match rest.first().map(String::as_str) {
                Some("super") => self.lookup(module.parent, rest, depth),
                _ => self.walk(module.parent, rest, depth),
            },
            "Self" => None,
            _ if self.has_name(at, first) => self.walk(at, path, depth),
            _ => self.walk(*self.crates.get(first.as_str())?, rest, depth),
        }
    }

    fn has_name(&self, at: usize, name: &str) -> bool {
        let module = &self.modules[at];
        module.names.contains_key(name) || module.children.contains_key(name)
    }

    /// What a path means from within a module.
    fn walk(&self, at: usize, path: &[String], depth: usize) -> Option<Target> {
        let module = &self.modules[at];
        let Some((first, rest)) = path.split_first() else { return Some(Target::Module(at)) };
        if depth > DEPTH_MAX {
            return None;
        }
        let child = module.children.get(first);
        if let Some(target) = module.names.get(first) {
            let is_item_too = child.is_none() || rest.is_empty();
            // `use x::x`: the first `x` is the other one.
            if is_item_too && target.first() != Some(first) || child.is_none() {
                return match self.lookup(at, target, depth + 1)? {
                    Target::Module(module) => self.walk(module, rest, depth + 1),
                    item => Some(item),
                };
            }
        }
        if let Some(&child) = child {
            return self.walk(child, rest, depth + 1);
        }
        if !module.items.contains(first) {
            let from_glob = module.globs.iter().find_map(|glob| {
                let Target::Module(other) = self.lookup(at, glob, depth + 1)? else { return None };
                let known =
                    self.has_name(other, first) || self.modules[other].items.contains(first);
                if other != at && known { self.walk(other, path, depth + 1) } else { None }
            });
            if from_glob.is_some() {
                return from_glob;
            }
        }
        Some(Target::Item(module.file))
    }
}

impl Module {
    fn read(facts: &Facts, inline: &[String], file: usize, above: &Above) -> Module {
        let here = facts.imports.iter().filter(|i| i.place.modules == inline && !i.place.in_tests);
        let (named, globs): (Vec<_>, Vec<_>) = here.partition(|import| import.name.is_some());
        let names = named.iter().filter_map(|i| Some((i.name.clone()?, i.path.clone())));
        let items =
            if inline.is_empty() { facts.items.iter().cloned().collect() } else { BTreeSet::new() };
        Module {
            file,
            root: above.root,
            parent: above.parent,
            children: BTreeMap::new(),
            names: names.collect(),
            globs: globs.iter().map(|import| import.path.clone()).collect(),
            items,
            in_tests: above.in_tests,
        }
    }
}
