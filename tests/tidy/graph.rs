//! Which file imports which, and where that goes in a circle.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::Place;
use crate::modules::{Modules, Target};
use crate::source::Source;

/// Imports of files by files of the same crates, without those of tests.
pub(crate) struct Graph {
    /// From file to file, and the first line that says so.
    pub edges: BTreeMap<(usize, usize), usize>,
}

impl Graph {
    pub(crate) fn of(sources: &[Source], modules: &Modules<'_>) -> Graph {
        let mut graph = Graph { edges: BTreeMap::new() };
        for (file, source) in sources.iter().enumerate().filter(|(file, _)| modules.has(*file)) {
            let Some(facts) = &source.facts else { continue };
            for import in &facts.imports {
                let target = modules.resolve(file, &import.place, &import.path);
                // What a module shows of its own parts, it does not use by that.
                let is_face =
                    |target| import.exported && is_below(source, &sources[modules.file(target)]);
                if let Some(target) = target.filter(|target| !is_face(*target)) {
                    graph.add(file, modules.file(target), &import.place);
                }
            }
            for mention in &facts.mentions {
                match modules.resolve(file, &mention.place, &mention.path) {
                    // A name by itself is a variable, when it is that of a module.
                    Some(Target::Module(_)) if mention.path.len() == 1 => {}
                    Some(target) => graph.add(file, modules.file(target), &mention.place),
                    None => {}
                }
            }
        }
        graph
    }

    fn add(&mut self, from: usize, to: usize, place: &Place) {
        if from != to && !place.in_tests {
            let line = self.edges.entry((from, to)).or_insert(place.line);
            *line = place.line.min(*line);
        }
    }

    /// The sets of files that reach each other, each with more than one.
    pub(crate) fn circles(&self) -> Vec<BTreeSet<usize>> {
        let mut next: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for &(from, to) in self.edges.keys() {
            next.entry(from).or_default().push(to);
        }
        let reached: BTreeMap<usize, BTreeSet<usize>> =
            next.keys().map(|&file| (file, reach(file, &next))).collect();
        let mut circles: Vec<BTreeSet<usize>> = Vec::new();
        for (&file, others) in &reached {
            if !others.contains(&file) || circles.iter().any(|circle| circle.contains(&file)) {
                continue;
            }
            let comes_back = |other: &usize| reached.get(other).is_some_and(|r| r.contains(&file));
            circles.push(others.iter().copied().filter(comes_back).collect());
        }
        circles
    }
}

/// Whether a file is one of the parts of the module that another file is.
fn is_below(whole: &Source, part: &Source) -> bool {
    let folder = whole.path.trim_end_matches(".rs");
    let folder = folder.strip_suffix("/mod").or(folder.strip_suffix("/lib")).unwrap_or(folder);
    part.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

fn reach(file: usize, next: &BTreeMap<usize, Vec<usize>>) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut open = vec![file];
    while let Some(at) = open.pop() {
        let new = next.get(&at).into_iter().flatten().filter(|file| reached.insert(**file));
        open.extend(new.copied().collect::<Vec<_>>());
    }
    reached
}
