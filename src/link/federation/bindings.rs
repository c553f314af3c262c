//! The bindings of an exchange, kept in step upstream: what has to be bound there and what not any
//! more.

use std::collections::BTreeMap;

use amq_protocol::types::FieldTable;

use super::hops::Binder;

/// A binding upstream: its key, and its arguments.
pub(crate) type Binding = (String, FieldTable);

/// What has to be done upstream.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Steps {
    /// To be bound.
    pub bind: Vec<Binding>,
    /// To be unbound.
    pub unbind: Vec<Binding>,
}

/// What is bound upstream, by key and arguments.
#[derive(Debug, Default)]
pub(crate) struct Bindings(BTreeMap<(String, String), Binding>);

impl Bindings {
    /// The exchange has these bindings now; several that differ in nothing but their destinations
    /// are one upstream. What is told has to be done.
    pub(crate) fn follow(
        &mut self,
        binder: &Binder,
        now: impl IntoIterator<Item = (String, FieldTable)>,
    ) -> Steps {
        let wanted = now.into_iter().filter_map(|(key, arguments)| {
            let arguments = binder.upstream_arguments(&arguments)?;
            Some(((key.clone(), format!("{arguments:?}")), (key, arguments)))
        });
        let wanted: BTreeMap<_, _> = wanted.collect();
        let missing = wanted.iter().filter(|(id, _)| !self.0.contains_key(*id));
        let bind = missing.map(|(_, binding)| binding.clone()).collect();
        let gone = self.0.iter().filter(|(id, _)| !wanted.contains_key(*id));
        let unbind = gone.map(|(_, binding)| binding.clone()).collect();
        self.0 = wanted;
        Steps { bind, unbind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::federation::hops::Place;

    #[test]
    fn each_binding_is_made_once_and_taken_back_with_the_last_of_its_kind() {
        let place = |name: &str| Place { cluster: Some(name.into()), virtual_host: "/".into() };
        let (here, there) = (place("here"), place("there"));
        let binder = Binder { here, exchange: "x".into(), there, max_hops: 1 };
        let plain = |key: &str| (key.to_owned(), FieldTable::default());
        let mut bindings = Bindings::default();
        let keys = |all: &[Binding]| all.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
        let steps = bindings.follow(&binder, [plain("a"), plain("b"), plain("a")]);
        assert_eq!((keys(&steps.bind), steps.unbind.len()), (vec!["a".into(), "b".into()], 0));
        let steps = bindings.follow(&binder, [plain("a"), plain("b")]);
        assert_eq!(steps, Steps::default());
        let steps = bindings.follow(&binder, [plain("b"), plain("c")]);
        assert_eq!((keys(&steps.bind), keys(&steps.unbind)), (vec!["c".into()], vec!["a".into()]));
    }
}
