//! Rooms in their order, and files that go in no circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::graph::Graph;
use crate::house::{Circle, Storeys};
use crate::source::Source;

/// The rooms, as they are and as they are listed.
pub(crate) struct Rooms<'a> {
    sources: &'a [Source],
    graph: &'a Graph,
    list: &'a [Storeys],
}

/// A room: its folder, its name, and how far down it is listed.
type Room<'a> = (&'a str, &'a str, Option<usize>);

impl<'a> Rooms<'a> {
    pub(crate) fn new(sources: &'a [Source], graph: &'a Graph, list: &'a [Storeys]) -> Rooms<'a> {
        Rooms { sources, graph, list }
    }

    /// The room that a file is in; none for tests and the like.
    fn room(&self, file: usize) -> Option<Room<'a>> {
        let path: &'a str = &self.sources[file].path;
        let mut above = 0;
        for (folder, storeys) in self.list {
            if let Some(rest) = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')) {
                let name = rest.split_once('/').map_or(rest, |(name, _)| name);
                let name = name.strip_suffix(".rs").unwrap_or(name);
                let storey = storeys.iter().position(|storey| storey.contains(&name));
                return Some((folder, name, storey.map(|storey| above + storey)));
            }
            above += storeys.len();
        }
        None
    }

    /// Every entry there is.
    fn entries(&self) -> BTreeSet<Room<'a>> {
        let rust = (0..self.sources.len()).filter(|file| self.sources[*file].facts.is_some());
        rust.filter_map(|file| self.room(file)).collect()
    }

    /// Entries without a place in the list, and places without an entry.
    pub(crate) fn check_list(&self, report: &mut Vec<String>) {
        let entries = self.entries();
        for (folder, name, _) in entries.iter().filter(|(.., storey)| storey.is_none()) {
            report.push(format!(
                "{folder}/{name}: has no place in the order of rooms: give it one in \
                 tests/tidy/house.rs"
            ));
        }
        for (folder, storeys) in self.list {
            let listed = storeys.iter().flat_map(|storey| storey.iter());
            for name in
                listed.filter(|name| !entries.iter().any(|e| (e.0, e.1) == (*folder, **name)))
            {
                report.push(format!(
                    "{folder}/{name}: is in the order of rooms (tests/tidy/house.rs), but not there"
                ));
            }
        }
    }

    /// Imports that do not go down.
    pub(crate) fn check_order(&self, report: &mut Vec<String>) {
        for (from, to, line) in self.upward() {
            let (from, to) = (&self.sources[from].path, &self.sources[to].path);
            report.push(format!("{from}:{line}: imports {to}, which is above or beside it"));
        }
    }

    fn upward(&self) -> Vec<(usize, usize, usize)> {
        let is_upward = |&(&(from, to), _): &(&(usize, usize), &usize)| match (
            self.room(from),
            self.room(to),
        ) {
            (Some(from), Some(to)) => from != to && to.2.is_some() && from.2 >= to.2,
            _ => false,
        };
        let edges = self.graph.edges.iter().filter(is_upward);
        edges.map(|(&(from, to), &line)| (from, to, line)).collect()
    }

    /// Rooms by what they import, for whoever wants to see the house.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!(
            "{:33} {:>5} {:>6} {:>8} {:>6} {:>7}\n",
            "room", "files", "lines", "imports", "upward", "circles"
        );
        let upward = self.upward();
        let circles = self.graph.circles();
        let mut rooms: Vec<Room<'_>> = self.entries().into_iter().collect();
        rooms.sort_by_key(|room| room.2);
        let mut sums = [0; 5];
        for room in rooms {
            let is_here = |file: &usize| self.room(*file) == Some(room);
            let files: Vec<usize> = (0..self.sources.len()).filter(is_here).collect();
            let figures = [
                files.len(),
                files.iter().map(|file| self.sources[*file].text.lines().count()).sum(),
                self.edges_out(room),
                upward.iter().filter(|(from, ..)| is_here(from)).count(),
                circles.iter().filter(|circle| circle.iter().any(&is_here)).count(),
            ];
            describe_line(&mut text, &format!("{}/{}", room.0, room.1), figures);
            sums.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure);
        }
        // A circle through two rooms is one circle.
        sums[4] = circles.len();
        describe_line(&mut text, "all", sums);
        text
    }

    /// How many imports of a room's files go to other rooms.
    fn edges_out(&self, room: Room<'_>) -> usize {
        let leaves = |&(from, to): &&(usize, usize)| {
            self.room(*from) == Some(room) && self.room(*to) != Some(room)
        };
        self.graph.edges.keys().filter(leaves).count()
    }
}

fn describe_line(text: &mut String, room: &str, figures: [usize; 5]) {
    let [files, lines, imports, upward, circles] = figures;
    writeln!(text, "{room:33} {files:5} {lines:6} {imports:8} {upward:6} {circles:7}").unwrap();
}

/// Circles of files that are not listed, and listed ones that are no circle.
pub(crate) fn check_circles(
    sources: &[Source],
    graph: &Graph,
    allowed: &[Circle],
    report: &mut Vec<String>,
) {
    let circles = graph.circles();
    let paths = |circle: &BTreeSet<usize>| -> BTreeSet<&str> {
        circle.iter().map(|file| sources[*file].path.as_str()).collect()
    };
    let circles: Vec<BTreeSet<&str>> = circles.iter().map(paths).collect();
    let allowed: BTreeMap<BTreeSet<&str>, &str> =
        allowed.iter().map(|(why, files)| (files.iter().copied().collect(), *why)).collect();
    for circle in circles.iter().filter(|circle| !allowed.contains_key(circle)) {
        let files: Vec<&str> = circle.iter().copied().collect();
        report.push(format!(
            "these import each other: {}; a circle needs a reason in tests/tidy/house.rs",
            files.join(", ")
        ));
    }
    for circle in allowed.keys().filter(|circle| !circles.contains(circle)) {
        let files: Vec<&str> = circle.iter().copied().collect();
        report.push(format!(
            "listed as a circle in tests/tidy/house.rs, and none: {}",
            files.join(", ")
        ));
    }
}
