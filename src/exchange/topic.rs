//! `topic`: binding keys are patterns of words, kept in a trie of words.
//!
//! A key is split at `.`; the empty key has no words at all. In a binding key the word `*` stands
//! for one word and `#` for any number of words, none included; wildcards are only special as
//! whole words, and never in a message's routing key.
//!
//! Words are numbered, and the edges of all nodes share one table, so that a binding costs some
//! tens of bytes. Routing walks the trie with the set of nodes that the words so far can lead to.
//! A node is in that set at most once per word, so the work is bounded by the nodes that match a
//! part of the key times the number of its words, however many `#` there are.

use std::collections::HashMap;
use std::hash::Hash;

use smallvec::SmallVec;

use super::Routing;
use super::binding::BindingKey;
use super::destinations::{Collector, Destinations};

type NodeId = u32;
type WordId = u32;

const ROOT: NodeId = 0;

/// The bindings of a topic exchange.
#[derive(Debug, Clone)]
pub(super) struct Topic<D> {
    nodes: Vec<Node<D>>,
    free_nodes: Vec<NodeId>,
    edges: HashMap<(NodeId, WordId), NodeId>,
    words: HashMap<Box<[u8]>, Word>,
    free_words: Vec<WordId>,
}

#[derive(Debug, Clone)]
struct Node<D> {
    /// Where `*` leads.
    star: Option<ChildId>,
    /// Where `#` leads.
    hash: Option<ChildId>,
    /// How many edges in [`Topic::edges`] start here.
    literals: u32,
    /// Whether a `#` leads here or to a node above. Only such a node can be reached by several
    /// numbers of words.
    behind_hash: bool,
    destinations: Destinations<D>,
}

/// A node that is not the root.
type ChildId = std::num::NonZeroU32;

#[derive(Debug, Clone, Copy)]
struct Word {
    id: WordId,
    /// How many edges carry this word.
    edges: u32,
}

fn words(key: &[u8]) -> impl Iterator<Item = &[u8]> {
    (!key.is_empty()).then(|| key.split(|byte| *byte == b'.')).into_iter().flatten()
}

impl<D: Clone + Eq + Hash> Topic<D> {
    pub(super) fn new() -> Self {
        Self {
            nodes: Vec::new(),
            free_nodes: Vec::new(),
            edges: HashMap::new(),
            words: HashMap::new(),
            free_words: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, destination: &D, binding: &BindingKey) {
        if self.nodes.is_empty() {
            self.nodes.push(Node::new(false));
        }
        let mut node = ROOT;
        for word in words(&binding.key) {
            node = self.child_or_new(node, word);
        }
        self.nodes[node as usize].destinations.add(destination);
    }

    pub(super) fn remove(&mut self, destination: &D, binding: &BindingKey) {
        let mut path: SmallVec<[(NodeId, &[u8], NodeId); 16]> = SmallVec::new();
        let mut node = ROOT;
        for word in words(&binding.key) {
            let Some(child) = self.child(node, word) else { return };
            path.push((node, word, child));
            node = child;
        }
        let Some(last) = self.nodes.get_mut(node as usize) else { return };
        last.destinations.remove(destination);
        while let Some((parent, word, child)) = path.pop() {
            if !self.nodes[child as usize].is_idle() {
                return;
            }
            self.remove_child(parent, word, child);
        }
        if self.nodes.first().is_some_and(Node::is_idle) {
            // Gives the memory of a once large exchange back.
            *self = Self::new();
        }
    }

    fn child(&self, parent: NodeId, word: &[u8]) -> Option<NodeId> {
        let node = self.nodes.get(parent as usize)?;
        match word {
            b"*" => node.star.map(ChildId::get),
            b"#" => node.hash.map(ChildId::get),
            _ => self.edges.get(&(parent, self.words.get(word)?.id)).copied(),
        }
    }

    fn child_or_new(&mut self, parent: NodeId, word: &[u8]) -> NodeId {
        if let Some(child) = self.child(parent, word) {
            return child;
        }
        let behind_hash = word == b"#" || self.nodes[parent as usize].behind_hash;
        let child = self.new_node(behind_hash);
        match word {
            b"*" => self.nodes[parent as usize].star = ChildId::new(child),
            b"#" => self.nodes[parent as usize].hash = ChildId::new(child),
            _ => {
                let word = self.use_word(word);
                self.edges.insert((parent, word), child);
                self.nodes[parent as usize].literals += 1;
            }
        }
        child
    }

    fn new_node(&mut self, behind_hash: bool) -> NodeId {
        if let Some(id) = self.free_nodes.pop() {
            self.nodes[id as usize] = Node::new(behind_hash);
            return id;
        }
        self.nodes.push(Node::new(behind_hash));
        (self.nodes.len() - 1) as NodeId
    }

    fn use_word(&mut self, word: &[u8]) -> WordId {
        if let Some(known) = self.words.get_mut(word) {
            known.edges += 1;
            return known.id;
        }
        let id = self.free_words.pop().unwrap_or(self.words.len() as WordId);
        self.words.insert(word.into(), Word { id, edges: 1 });
        id
    }

    fn remove_child(&mut self, parent: NodeId, word: &[u8], child: NodeId) {
        match word {
            b"*" => self.nodes[parent as usize].star = None,
            b"#" => self.nodes[parent as usize].hash = None,
            _ => {
                let Some(known) = self.words.get_mut(word) else { return };
                self.edges.remove(&(parent, known.id));
                self.nodes[parent as usize].literals -= 1;
                known.edges -= 1;
                if known.edges == 0 {
                    self.free_words.push(known.id);
                    self.words.remove(word);
                }
            }
        }
        self.free_nodes.push(child);
    }

    pub(super) fn route(&self, message: &Routing<'_>, out: &mut Collector<'_, D>) {
        if self.nodes.is_empty() {
            return;
        }
        let mut walk = Walk::new(self);
        walk.enter_hashes(ROOT, out);
        for word in words(message.routing_key) {
            if walk.is_over() {
                return;
            }
            walk.step(word, out);
        }
        for node in &walk.nodes {
            self.nodes[*node as usize].destinations.collect(out);
        }
    }
}

impl<D: Clone + Eq + Hash> Node<D> {
    fn new(behind_hash: bool) -> Self {
        Self { star: None, hash: None, literals: 0, behind_hash, destinations: Destinations::new() }
    }

    /// Whether neither a binding nor a child needs this node.
    fn is_idle(&self) -> bool {
        self.literals == 0
            && self.star.is_none()
            && self.hash.is_none()
            && self.destinations.is_empty()
    }
}

/// One routing key's way through the trie.
struct Walk<'a, D> {
    topic: &'a Topic<D>,
    /// The nodes that the words so far lead to, without those of `hashes`.
    nodes: SmallVec<[NodeId; 16]>,
    /// The `#` nodes that were reached. A `#` takes any further word, so they stay to the end.
    /// Those where a pattern ends are collected at once, those where none goes on are left out.
    hashes: SmallVec<[NodeId; 16]>,
    /// The `#` nodes that could be reached again, in ascending order.
    seen: SmallVec<[NodeId; 16]>,
    /// Where the next `nodes` are made, kept for its memory.
    next: SmallVec<[NodeId; 16]>,
}

impl<'a, D: Clone + Eq + Hash> Walk<'a, D> {
    fn new(topic: &'a Topic<D>) -> Self {
        Self {
            topic,
            nodes: SmallVec::from_slice(&[ROOT]),
            hashes: SmallVec::new(),
            seen: SmallVec::new(),
            next: SmallVec::new(),
        }
    }

    /// Whether no further word can lead anywhere.
    fn is_over(&self) -> bool {
        self.nodes.is_empty() && self.hashes.is_empty()
    }

    fn step(&mut self, word: &[u8], out: &mut Collector<'_, D>) {
        let topic = self.topic;
        let word = topic.words.get(word).map(|word| word.id);
        for id in self.nodes.iter().chain(&self.hashes) {
            let node = &topic.nodes[*id as usize];
            if let Some(word) = word
                && node.literals > 0
                && let Some(child) = topic.edges.get(&(*id, word))
            {
                self.next.push(*child);
            }
            self.next.extend(node.star.map(ChildId::get));
        }
        std::mem::swap(&mut self.nodes, &mut self.next);
        self.next.clear();
        for position in 0..self.nodes.len() {
            self.enter_hashes(self.nodes[position], out);
        }
    }

    /// Enters what `#` leads to from a node, without a word.
    fn enter_hashes(&mut self, node: NodeId, out: &mut Collector<'_, D>) {
        let topic = self.topic;
        let mut from = &topic.nodes[node as usize];
        while let Some(id) = from.hash.map(ChildId::get) {
            if from.behind_hash {
                match self.seen.binary_search(&id) {
                    Ok(_) => return,
                    Err(position) => self.seen.insert(position, id),
                }
            }
            from = &topic.nodes[id as usize];
            from.destinations.collect(out);
            if from.literals > 0 || from.star.is_some() {
                self.hashes.push(id);
            }
        }
    }
}
