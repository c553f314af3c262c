//! The modules of a crate as text, and where a public name leads to.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::Span;
use syn::{Attribute, Item, Meta, UseTree, Visibility};

/// A module with its items.
pub(crate) struct Module {
    /// The module that it is in; the crate itself is its own.
    parent: usize,
    children: HashMap<String, usize>,
    pub items: Vec<Item>,
    /// Text of the file that it is in.
    text: String,
}

/// All modules of a crate, the crate itself first.
pub(crate) struct Crate(Vec<Module>);

/// What a path leads to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Target {
    Module(usize),
    /// An item with the module that defines it.
    Item(usize, String),
    /// Something of another crate.
    Foreign(String),
}

/// A name that `use` brings into a module.
pub(crate) struct Import {
    pub path: Vec<String>,
    /// `*` for all that is there.
    pub name: String,
}

impl Crate {
    /// Reads a crate from its first file on.
    pub(crate) fn read(first: &Path) -> Self {
        let mut modules = Self(Vec::new());
        let text = fs::read_to_string(first).expect("the first file of the crate");
        let items = syn::parse_file(&text).expect("Rust").items;
        modules.add(0, items, text, first.parent().expect("a folder"));
        modules
    }

    fn add(&mut self, parent: usize, mut items: Vec<Item>, text: String, folder: &Path) -> usize {
        let at = self.0.len();
        self.0.push(Module { parent, children: HashMap::new(), items: Vec::new(), text });
        for item in &mut items {
            let Item::Mod(module) = item else { continue };
            if is_for_tests(&module.attrs) {
                continue;
            }
            let name = module.ident.to_string();
            let below = folder.join(&name);
            let (items, text) = match &mut module.content {
                Some((_, items)) => (std::mem::take(items), self.0[at].text.clone()),
                None => read_module(&below),
            };
            let child = self.add(at, items, text, &below);
            self.0[at].children.insert(name, child);
        }
        self.0[at].items = items;
        at
    }

    pub(crate) fn module(&self, at: usize) -> &Module {
        &self.0[at]
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The text of a part of a module on one line.
    pub(crate) fn text(&self, at: usize, span: Span) -> String {
        let words: Vec<&str> = self.0[at].text[span.byte_range()].split_whitespace().collect();
        let line = words.join(" ").replace("( ", "(").replace(", )", ")").replace(" )", ")");
        line.replace("< ", "<").replace(", >", ">")
    }

    /// Where a path leads from within a module.
    pub(crate) fn resolve(&self, at: usize, path: &[String]) -> Target {
        let Some((first, rest)) = path.split_first() else { return Target::Module(at) };
        match first.as_str() {
            "crate" => self.walk(0, rest),
            "self" => self.walk(at, rest),
            "super" => self.resolve(self.0[at].parent, rest),
            _ => self.walk(at, path),
        }
    }

    fn walk(&self, at: usize, path: &[String]) -> Target {
        let Some((first, rest)) = path.split_first() else { return Target::Module(at) };
        if let Some(&child) = self.0[at].children.get(first)
            && (!rest.is_empty() || !self.defines(at, first))
        {
            return self.walk(child, rest);
        }
        if rest.is_empty() && self.defines(at, first) {
            return Target::Item(at, first.clone());
        }
        for import in self.imports(at).filter(|import| import.name == *first) {
            if import.path.first() == Some(first) && import.path.len() == 1 {
                continue;
            }
            match self.resolve(at, &import.path) {
                Target::Module(module) => return self.walk(module, rest),
                item => return item,
            }
        }
        Target::Foreign(path.join("::"))
    }

    fn defines(&self, at: usize, name: &str) -> bool {
        self.0[at].items.iter().any(|item| name_of(item).is_some_and(|own| own == name))
    }

    fn imports(&self, at: usize) -> impl Iterator<Item = Import> {
        let uses = self.0[at].items.iter().filter_map(|item| match item {
            Item::Use(item) => Some(imports_of(&item.tree)),
            _ => None,
        });
        uses.flatten()
    }
}

fn read_module(path: &Path) -> (Vec<Item>, String) {
    let files: [PathBuf; 2] = [path.with_extension("rs"), path.join("mod.rs")];
    let file = files.iter().find(|file| file.exists()).expect("a module's file");
    let text = fs::read_to_string(file).expect("a module");
    (syn::parse_file(&text).expect("Rust").items, text)
}

/// What a `use` brings.
pub(crate) fn imports_of(tree: &UseTree) -> Vec<Import> {
    let mut found = Vec::new();
    add_imports(tree, &mut Vec::new(), &mut found);
    found
}

fn add_imports(tree: &UseTree, path: &mut Vec<String>, found: &mut Vec<Import>) {
    let whole = |path: &[String], last: String| [path, &[last]].concat();
    match tree {
        UseTree::Path(tree) => {
            path.push(tree.ident.to_string());
            add_imports(&tree.tree, path, found);
            path.pop();
        }
        UseTree::Group(group) => {
            group.items.iter().for_each(|tree| add_imports(tree, path, found));
        }
        UseTree::Name(name) if name.ident == "self" => {
            let name = path.last().cloned().unwrap_or_default();
            found.push(Import { path: path.clone(), name });
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            found.push(Import { path: whole(path, name.clone()), name });
        }
        UseTree::Rename(tree) => {
            let path = whole(path, tree.ident.to_string());
            found.push(Import { path, name: tree.rename.to_string() });
        }
        UseTree::Glob(_) => found.push(Import { path: path.clone(), name: "*".into() }),
    }
}

/// The name that an item defines.
pub(crate) fn name_of(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        Item::Union(item) => item.ident.to_string(),
        // Such as `name! { /// Name of a queue. QueueName }`: its last word.
        Item::Macro(item) if item.ident.is_none() => {
            item.mac.tokens.clone().into_iter().last().map(|token| token.to_string())?
        }
        _ => return None,
    })
}

pub(crate) fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Whether only tests have it.
pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    has(attributes, "cfg", "test") || has(attributes, "cfg", "all(doctest")
}

/// Whether it is left out of the documentation.
pub(crate) fn is_hidden(attributes: &[Attribute]) -> bool {
    has(attributes, "doc", "hidden")
}

fn has(attributes: &[Attribute], name: &str, argument: &str) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident(name) => {
            list.tokens.to_string().replace(' ', "").starts_with(argument)
        }
        _ => false,
    })
}
