//! What the checks want to know of one Rust file, found by parsing it.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, File, ImplItemFn, Item, ItemFn, ItemMod, ItemUse, Macro, Meta, Signature,
    TraitItemFn, UseTree, Visibility,
};

/// Where in a file something is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    pub line: usize,
    /// The modules with a body in this file that it is in, outermost first.
    pub modules: Vec<String>,
    /// Whether only tests have it.
    pub in_tests: bool,
}

/// A name that `use` brings.
#[derive(Debug)]
pub(crate) struct Import {
    pub place: Place,
    pub path: Vec<String>,
    /// The name here; none for `*`.
    pub name: Option<String>,
    /// Whether others find it here, too.
    pub exported: bool,
}

/// A path in code, in types and in what macros are given.
#[derive(Debug)]
pub(crate) struct Mention {
    pub place: Place,
    pub path: Vec<String>,
}

/// A module that is declared.
#[derive(Debug)]
pub(crate) struct Module {
    pub place: Place,
    pub name: String,
    /// Whether its text is here, not in a file of its own.
    pub has_body: bool,
}

/// What was found in a file.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub imports: Vec<Import>,
    pub mentions: Vec<Mention>,
    pub modules: Vec<Module>,
    /// First line and number of lines.
    pub functions: Vec<(usize, usize)>,
    /// Texts in quotes, but for those that macros are given.
    pub texts: Vec<(Place, String)>,
    /// Line and name, such as `todo!` and `#[ignore]`.
    pub marks: Vec<(usize, String)>,
    /// Items of the file itself, by name.
    pub items: Vec<String>,
}

impl Facts {
    pub(crate) fn read(text: &str) -> syn::Result<Facts> {
        let mut reader = Reader::default();
        reader.visit_file(&syn::parse_file(text)?);
        Ok(reader.facts)
    }

    /// The whole path that a path stands for, by the names that `use` brings.
    pub(crate) fn whole_path(&self, path: &[String]) -> Vec<String> {
        match self.imports.iter().find(|import| import.name.as_ref() == path.first()) {
            Some(import) => [&import.path, &path[1..]].concat(),
            None => path.to_vec(),
        }
    }
}

#[derive(Default)]
struct Reader {
    facts: Facts,
    modules: Vec<String>,
    in_tests: bool,
}

impl Reader {
    fn place(&self, span: proc_macro2::Span) -> Place {
        let line = span.start().line;
        Place { line, modules: self.modules.clone(), in_tests: self.in_tests }
    }

    fn function(&mut self, signature: &Signature, block: &Block) {
        let first = signature.fn_token.span.start().line;
        let last = block.brace_token.span.close().end().line;
        self.facts.functions.push((first, last + 1 - first));
    }

    /// Goes on with what may be for tests only.
    fn within(&mut self, attributes: &[Attribute], visit: impl FnOnce(&mut Self)) {
        let before = self.in_tests;
        self.in_tests |= attributes.iter().any(is_for_tests);
        visit(self);
        self.in_tests = before;
    }

    fn use_tree(&mut self, tree: &UseTree, path: &mut Vec<String>, exported: bool) {
        let (ident, name) = match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.use_tree(&part.tree, path, exported);
                path.pop();
                return;
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.use_tree(tree, path, exported);
                }
                return;
            }
            UseTree::Glob(glob) => {
                let place = self.place(glob.star_token.span);
                let path = path.clone();
                self.facts.imports.push(Import { place, path, name: None, exported });
                return;
            }
            UseTree::Name(leaf) => (&leaf.ident, None),
            UseTree::Rename(leaf) => (&leaf.ident, Some(leaf.rename.to_string())),
        };
        let mut path = path.clone();
        if ident != "self" {
            path.push(ident.to_string());
        }
        let name = name.or_else(|| path.last().cloned());
        let place = self.place(ident.span());
        self.facts.imports.push(Import { place, path, name, exported });
    }

    /// Paths among the tokens that a macro is given.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut place = Place::default();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.mention(place, std::mem::take(&mut path));
                        place = self.place(ident.span());
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.mention(place, std::mem::take(&mut path));
                    (place, colons) = (Place::default(), 0);
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.mention(place, path);
    }

    fn mention(&mut self, place: Place, path: Vec<String>) {
        if !path.is_empty() {
            self.facts.mentions.push(Mention { place, path });
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_file(&mut self, file: &'ast File) {
        visit::visit_file(self, file);
        self.facts.items = file.items.iter().filter_map(name_of).collect();
    }

    fn visit_item(&mut self, item: &'ast Item) {
        self.within(attributes_of(item), |reader| visit::visit_item(reader, item));
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        let name = module.ident.to_string();
        let place = self.place(module.ident.span());
        let has_body = module.content.is_some();
        self.facts.modules.push(Module { place, name: name.clone(), has_body });
        self.modules.push(name);
        visit::visit_item_mod(self, module);
        self.modules.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let exported = !matches!(item.vis, Visibility::Inherited);
        let mut start = Vec::new();
        if item.leading_colon.is_some() {
            start.push(String::new());
        }
        self.use_tree(&item.tree, &mut start, exported);
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.function(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.function(&function.sig, &function.block);
        self.within(&function.attrs, |reader| visit::visit_impl_item_fn(reader, function));
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(block) = &function.default {
            self.function(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut segments: Vec<String> =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if path.leading_colon.is_some() {
            segments.insert(0, String::new());
        }
        self.mention(self.place(path.segments[0].ident.span()), segments);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        if let Some(last) = call.path.segments.last() {
            self.facts.marks.push((last.ident.span().start().line, format!("{}!", last.ident)));
        }
        visit::visit_macro(self, call);
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("ignore") {
            let line = attribute.pound_token.span.start().line;
            self.facts.marks.push((line, "#[ignore]".into()));
        }
    }

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.facts.texts.push((self.place(text.span()), text.value()));
    }

    /// `pub(in path)` imports nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

/// `#[cfg(test)]`, alone or with other conditions.
fn is_for_tests(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else { return false };
    let words = flat(list.tokens.clone());
    list.path.is_ident("cfg")
        && words.iter().any(|word| word == "test")
        && words.iter().all(|word| word != "not" && word != "any")
}

fn flat(tokens: TokenStream) -> Vec<String> {
    let mut words = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => words.push(ident.to_string()),
            TokenTree::Group(group) => words.extend(flat(group.stream())),
            _ => {}
        }
    }
    words
}

fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn name_of(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}
