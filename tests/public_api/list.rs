//! The public items of a crate, one line each.

use std::collections::{BTreeMap, BTreeSet};

use syn::spanned::Spanned;
use syn::{Attribute, Fields, ImplItem, Item, ItemImpl, Meta, TraitItem, Type};

use crate::crate_text::{Crate, Target, imports_of, is_for_tests, is_hidden, is_public, name_of};

/// What is public, by its public path.
pub(crate) struct List<'a> {
    code: &'a Crate,
    /// Public paths with the module that defines each item.
    items: BTreeMap<String, (usize, String)>,
    /// What comes from other crates.
    foreign: BTreeSet<String>,
    modules: BTreeSet<String>,
}

impl<'a> List<'a> {
    pub(crate) fn of(code: &'a Crate) -> Self {
        let (items, foreign) = (BTreeMap::new(), BTreeSet::new());
        let mut list = Self { code, items, foreign, modules: BTreeSet::new() };
        list.add_module(0, "leveret");
        list
    }

    /// How many items there are: modules, types, traits, functions, constants.
    pub(crate) fn len(&self) -> usize {
        self.items.len() + self.foreign.len() + self.modules.len()
    }

    fn add_module(&mut self, at: usize, path: &str) {
        for item in &self.code.module(at).items {
            match item {
                Item::Mod(module) if shows(&module.vis, &module.attrs) => {
                    let name = module.ident.to_string();
                    let target = self.code.resolve(at, &["self".into(), name.clone()]);
                    self.add(target, &format!("{path}::{name}"));
                }
                Item::Use(item) if shows(&item.vis, &item.attrs) => {
                    for import in imports_of(&item.tree) {
                        let target = self.code.resolve(at, &import.path);
                        match (import.name.as_str(), &target) {
                            ("*", Target::Module(module)) => self.add_module(*module, path),
                            (name, _) => self.add(target, &format!("{path}::{name}")),
                        }
                    }
                }
                Item::Macro(item) if item.ident.is_some() || is_for_tests(&item.attrs) => {}
                item => {
                    let name = name_of(item).filter(|_| is_shown(item));
                    if let Some(name) = name {
                        self.add(Target::Item(at, name.clone()), &format!("{path}::{name}"));
                    }
                }
            }
        }
    }

    fn add(&mut self, target: Target, path: &str) {
        match target {
            Target::Module(module) => {
                if self.modules.insert(path.to_owned()) {
                    self.add_module(module, path);
                }
            }
            Target::Item(module, name) => {
                self.items.insert(path.to_owned(), (module, name));
            }
            Target::Foreign(of) => {
                self.foreign.insert(format!("{path} = {of}"));
            }
        }
    }

    /// All of it, one line for each item, field, variant, method and implementation.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.modules.iter().map(|m| format!("mod {m}")).collect();
        lines.extend(self.foreign.iter().map(|path| format!("use {path}")));
        for (path, (at, name)) in &self.items {
            let items = &self.code.module(*at).items;
            for item in items.iter().filter(|item| name_of(item).as_ref() == Some(name)) {
                self.add_item(*at, item, path, &mut lines);
            }
            let mut members = Vec::new();
            for module in 0..self.code.len() {
                self.add_impls(module, &Target::Item(*at, name.clone()), path, &mut members);
            }
            members.sort();
            lines.append(&mut members);
        }
        lines
    }

    fn add_item(&self, at: usize, item: &Item, path: &str, lines: &mut Vec<String>) {
        let text = |span| self.code.text(at, span);
        match item {
            Item::Struct(item) => {
                lines.push(format!(
                    "struct {path}{}{}",
                    text(item.generics.span()),
                    marks(&item.attrs)
                ));
                let fields = item.fields.iter().zip(0..).filter(|(field, _)| is_public(&field.vis));
                lines.extend(fields.map(|(field, number)| {
                    let name = field.ident.as_ref().map_or(format!("{number}"), |n| n.to_string());
                    format!("{path}.{name}: {}", text(field.ty.span()))
                }));
            }
            Item::Enum(item) => {
                lines.push(format!("enum {path}{}", marks(&item.attrs)));
                lines.extend(item.variants.iter().map(|variant| {
                    let fields = match &variant.fields {
                        Fields::Unit => String::new(),
                        Fields::Unnamed(fields) => {
                            format!("({})", list(fields.unnamed.iter().map(|f| text(f.ty.span()))))
                        }
                        Fields::Named(fields) => format!(
                            " {{ {} }}",
                            list(fields.named.iter().map(|f| {
                                let name =
                                    f.ident.as_ref().map(ToString::to_string).unwrap_or_default();
                                format!("{name}: {}", text(f.ty.span()))
                            }))
                        ),
                    };
                    format!("{path}::{}{fields}", variant.ident)
                }));
            }
            Item::Trait(item) => {
                lines.push(format!("trait {path}"));
                lines.extend(item.items.iter().filter_map(|item| match item {
                    TraitItem::Fn(function) => {
                        Some(format!("{path}::{}", signature(&text(function.sig.span()))))
                    }
                    _ => None,
                }));
            }
            Item::Fn(item) => lines.push(format!("{path}: {}", signature(&text(item.sig.span())))),
            Item::Const(item) => lines.push(format!(
                "const {path}: {} = {}",
                text(item.ty.span()),
                text(item.expr.span()),
            )),
            Item::Static(item) => lines.push(format!("static {path}: {}", text(item.ty.span()))),
            Item::Type(item) => lines.push(format!("type {path} = {}", text(item.ty.span()))),
            Item::Macro(item) => {
                let name = item.mac.path.segments.last().map(|s| s.ident.to_string());
                lines.push(format!("struct {path}, made by {}!", name.unwrap_or_default()));
            }
            _ => {}
        }
    }

    /// Methods and implementations of a type, wherever in the crate they are.
    fn add_impls(&self, at: usize, of: &Target, path: &str, lines: &mut Vec<String>) {
        for item in &self.code.module(at).items {
            let Item::Impl(item) = item else { continue };
            if is_for_tests(&item.attrs) || self.self_type(at, item).as_ref() != Some(of) {
                continue;
            }
            if let Some((name, _)) = &item.trait_ {
                if self.is_of_the_crate_alone(at, name) {
                    continue;
                }
                let target = self.code.text(at, item.self_ty.span());
                lines
                    .push(format!("{path}: impl {} for {target}", self.code.text(at, name.span())));
                continue;
            }
            lines.extend(item.items.iter().filter_map(|item| match item {
                ImplItem::Fn(function) if shows(&function.vis, &function.attrs) => {
                    let text = self.code.text(at, function.sig.span());
                    Some(format!("{path}::{}", signature(&text)))
                }
                ImplItem::Const(item) if shows(&item.vis, &item.attrs) => Some(format!(
                    "{path}::const {}: {}",
                    item.ident,
                    self.code.text(at, item.ty.span())
                )),
                _ => None,
            }));
        }
    }

    /// Whether a trait is the crate's, and nobody else sees it.
    fn is_of_the_crate_alone(&self, at: usize, name: &syn::Path) -> bool {
        let path: Vec<String> = name.segments.iter().map(|s| s.ident.to_string()).collect();
        let Target::Item(at, name) = self.code.resolve(at, &path) else { return false };
        let is_meant = |item: &Item| match item {
            Item::Trait(item) => item.ident == name && !is_public(&item.vis),
            _ => false,
        };
        self.code.module(at).items.iter().any(is_meant)
    }

    fn self_type(&self, at: usize, item: &ItemImpl) -> Option<Target> {
        let mut named = &*item.self_ty;
        while let Type::Reference(reference) = named {
            named = &reference.elem;
        }
        let Type::Path(named) = named else { return None };
        let path: Vec<String> = named.path.segments.iter().map(|s| s.ident.to_string()).collect();
        Some(self.code.resolve(at, &path))
    }
}

fn list(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

fn shows(visibility: &syn::Visibility, attributes: &[Attribute]) -> bool {
    is_public(visibility) && !is_hidden(attributes) && !is_for_tests(attributes)
}

fn is_shown(item: &Item) -> bool {
    match item {
        Item::Const(item) => shows(&item.vis, &item.attrs),
        Item::Enum(item) => shows(&item.vis, &item.attrs),
        Item::Fn(item) => shows(&item.vis, &item.attrs),
        Item::Static(item) => shows(&item.vis, &item.attrs),
        Item::Struct(item) => shows(&item.vis, &item.attrs),
        Item::Trait(item) => shows(&item.vis, &item.attrs),
        Item::Type(item) => shows(&item.vis, &item.attrs),
        Item::Union(item) => shows(&item.vis, &item.attrs),
        Item::Macro(item) => item.mac.path.is_ident("name"),
        _ => false,
    }
}

/// What is derived, and whether more may come: `, derives Clone, Debug, non_exhaustive`.
fn marks(attributes: &[Attribute]) -> String {
    let marks = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("derive") => {
            Some(format!(", derives {}", list.tokens.to_string().replace(" ,", ",")))
        }
        Meta::Path(path) if path.is_ident("non_exhaustive") => Some(", non_exhaustive".into()),
        _ => None,
    });
    marks.collect()
}

/// A function as its callers see it: that it changes an argument of its own is not their business.
fn signature(text: &str) -> String {
    text.replace("(mut ", "(").replace(", mut ", ", ")
}
