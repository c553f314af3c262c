//! Static shovels: the sections `[shovels.NAME]` of the configuration file, with the keys that
//! dynamic ones have as parameters.

use std::collections::BTreeMap;
use std::fmt;

use leveret::internals::check_static_shovel;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Shovels by their names, each of them checked.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct StaticShovels(pub BTreeMap<String, Value>);

/// Their URIs have passwords, which are shown to nobody.
impl fmt::Debug for StaticShovels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<'de> Deserialize<'de> for StaticShovels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Sections)
    }
}

struct Sections;

impl<'de> Visitor<'de> for Sections {
    type Value = StaticShovels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sections [shovels.NAME]")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StaticShovels, A::Error> {
        let mut shovels = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value_seed(Section(&name))?;
            shovels.insert(name, value);
        }
        Ok(StaticShovels(shovels))
    }
}

/// The section of the shovel of this name.
struct Section<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Section<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let value = Value::deserialize(deserializer)?;
        check_static_shovel(self.0, &value).map_err(D::Error::custom)?;
        Ok(value)
    }
}
