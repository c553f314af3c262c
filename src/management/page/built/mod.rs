//! The files of the page. Made by `npm run build` in `ui/`, not by hand.

use crate::management::page::asset::Asset;

/// The page.
pub(super) const INDEX: &str = include_str!("index.html");

/// The files that it names.
pub(super) const FILES: &[Asset] = &[
    Asset {
        name: "icon-2N_QPMqM.svg",
        content_type: "image/svg+xml",
        brotli: include_bytes!("icon.svg.br"),
        gzip: include_bytes!("icon.svg.gz"),
    },
    Asset {
        name: "index-EjcTUJhS.js",
        content_type: "text/javascript",
        brotli: include_bytes!("index.js.br"),
        gzip: include_bytes!("index.js.gz"),
    },
    Asset {
        name: "index-M1Q6QYzi.css",
        content_type: "text/css",
        brotli: include_bytes!("index.css.br"),
        gzip: include_bytes!("index.css.gz"),
    },
];
