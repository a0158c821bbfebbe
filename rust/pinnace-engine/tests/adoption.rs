//! An archive of which others made stretches is, byte for byte, the one that was made alone with the same cuts.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Read;

use flate2::read::MultiGzDecoder;
use pinnace_engine::adoption::Stretch;
use pinnace_engine::archive::{Archive, Digest, Folder};
use pinnace_engine::deflate::Level;
use pinnace_engine::error::EngineError;
use pinnace_engine::page::{Page, PageSpec};
use sha2::{Digest as _, Sha256};

const LEVEL: Level = Level::Fast;
const LINE: &str = r#"{"groupResource":"pods","apiVersion":"v1","kind":"Pod","namespace":"n","name":"a","member":[0,9],"offset":1,"length":2,"sha256":"00"}"#;

/// One kind with many items; a name has an escape, and the first kind's items are huge where `is_large`.
fn feed(archive: &mut Archive, plural: &str, kind: &str, item_count: usize, padding: usize) {
    archive.enter(Folder::new(plural, "v1", true).expect("a folder"));
    let item = |number: usize| {
        let noise = Sha256::digest(number.to_le_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let filler = "text ".repeat(padding);
        format!(r#"{{"metadata":{{"name":"n<{number:06}>","namespace":"ns"}},"data":{{"k":"{noise}{filler}"}}}}"#)
    };
    let body = format!(r#"{{"items":[{}]}}"#, (0..item_count).map(item).collect::<Vec<_>>().join(","));
    let mut page = Page::new(PageSpec::new("v1", kind));
    page.feed(body.as_bytes(), archive).expect("a page");
    page.finish().expect("a list");
}

/// Index lines enough for several members of the index, an empty kind, large items, few items.
const KINDS: [(&str, &str, usize, usize); 4] = [
    ("pods", "Pod", 900, 400),
    ("secrets", "Secret", 0, 0),
    ("configmaps", "ConfigMap", 4000, 50),
    ("services", "Service", 3, 1),
];

struct Made {
    bytes: Vec<u8>,
    index: Vec<u8>,
    resource_list: Vec<u8>,
    digest: Digest,
}

fn ended(mut archive: Archive) -> Made {
    let digest = archive.finish().expect("an archive");
    let (bytes, index) = (archive.take_archive(), archive.take_index());
    Made { bytes, index, resource_list: archive.take_resource_list(), digest }
}

fn alone(head: bool) -> Made {
    let mut archive = Archive::new(LEVEL, 7, 2).expect("an archive");
    if head {
        feed(&mut archive, "nodes", "Node", 5, 1);
    }
    for (plural, kind, item_count, padding) in KINDS {
        archive.cut().expect("a cut");
        feed(&mut archive, plural, kind, item_count, padding);
    }
    archive.cut().expect("a cut");
    feed(&mut archive, "pods", "Pod", 1, 1);
    ended(archive)
}

fn shared(head: bool) -> Made {
    let mut archive = Archive::new(LEVEL, 7, 1).expect("an archive");
    if head {
        feed(&mut archive, "nodes", "Node", 5, 1);
    }
    let mut between = Vec::new();
    for kinds in [&KINDS[..1], &KINDS[1..2], &KINDS[2..]] {
        let mut stretch = Archive::stretch(LEVEL, 7, 2).expect("a stretch");
        for (plural, kind, item_count, padding) in kinds {
            stretch.cut().expect("a cut");
            feed(&mut stretch, plural, kind, *item_count, *padding);
        }
        let made = ended(stretch);
        for piece in gunzip(&made.index).chunks(1001) {
            archive.adopt_index(piece).expect("an index");
        }
        let Digest { archive_bytes: bytes, archive_sha256: sha256, tar_bytes, member_count, .. } = made.digest;
        archive.adopt(Stretch { bytes, sha256 }, tar_bytes, member_count).expect("a stretch");
        between.extend(archive.take_archive());
        between.extend(made.bytes);
    }
    feed(&mut archive, "pods", "Pod", 1, 1);
    let mut made = ended(archive);
    made.bytes.splice(0..0, between);
    made
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut plain).expect("gzip");
    plain
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn stretches_of_others_do_not_show() {
    for head in [true, false] {
        let (alone, shared) = (alone(head), shared(head));
        assert!(alone.bytes == shared.bytes, "the archive");
        assert!(alone.index == shared.index, "the index");
        assert!(alone.resource_list == shared.resource_list, "the resource list");
        assert!(alone.digest.member_count > 10);
        let Digest { archive_sha256, stretches, .. } = shared.digest.clone();
        assert_eq!(archive_sha256, "");
        assert_eq!(stretches.len(), 5, "own, three of others, own");
        let mut rest = shared.bytes.as_slice();
        for Stretch { bytes, sha256: hash } in stretches {
            let (stretch, after) = rest.split_at(usize::try_from(bytes).expect("small"));
            assert_eq!(sha256(stretch), hash);
            rest = after;
        }
        assert_eq!((rest.len(), alone.digest.stretches.len()), (0, 0));
        let same = Digest { archive_sha256: sha256(&alone.bytes), stretches: Vec::new(), ..shared.digest };
        assert_eq!(alone.digest, same);
    }
}

#[test]
fn a_cut_costs_nothing_where_nothing_came_before() {
    let mut archive = Archive::stretch(LEVEL, 7, 1).expect("a stretch");
    archive.cut().expect("a cut");
    archive.cut().expect("a cut");
    let made = ended(archive);
    assert_eq!((made.bytes.len(), made.digest.member_count), (0, 0));
}

#[test]
fn what_is_no_index_is_refused() {
    let mut archive = Archive::new(LEVEL, 7, 1).expect("an archive");
    archive.adopt_index(LINE.as_bytes()).expect("a line without its end");
    archive.adopt_index(b"\n").expect("its end");
    for bad in [
        "{}",
        "",
        r#"{"groupResource":"pods"}"#,
        &LINE.replace("[0", "[x"),
        &LINE.replace("[0", "[99999999999999999999"),
        &LINE.replace("kind", "king"),
        &LINE.replace(r#""n""#, r#""n"#),
    ] {
        let mut archive = Archive::new(LEVEL, 7, 1).expect("an archive");
        let refused = archive.adopt_index(format!("{bad}\n").as_bytes());
        assert!(matches!(refused, Err(EngineError::Archive(_))), "{bad}");
    }
    let mut archive = Archive::new(LEVEL, 7, 1).expect("an archive");
    archive.adopt_index(LINE.as_bytes()).expect("a line without its end");
    let cut = archive.adopt(Stretch { bytes: 1, sha256: String::new() }, 1, 1);
    assert!(matches!(cut, Err(EngineError::Archive(_))));
    let mut archive = Archive::new(LEVEL, 7, 1).expect("an archive");
    let endless = archive.adopt_index("x".repeat((1 << 20) + 1).as_bytes());
    assert!(matches!(endless, Err(EngineError::Archive(_))));
}
