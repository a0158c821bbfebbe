//! A list response like a large cluster's: golden items again and again, with what differs between real ones varied.
//!
//! Items are sorted by namespace and name, as a server lists them. Names, uids, resourceVersions, times and addresses differ in every clone, and each ConfigMap carries 1 to 4 kB
//! of text. The same seed gives the same bytes.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// xorshift64*: small, fast and always the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound.max(1)
    }

    fn characters(&mut self, alphabet: &[u8], count: usize) -> String {
        (0..count).map(|_| char::from(alphabet[self.below(alphabet.len())])).collect()
    }

    fn uid(&mut self) -> String {
        let part = |random: &mut Self, count| random.characters(b"0123456789abcdef", count);
        [8, 4, 4, 4, 12].map(|count| part(self, count)).join("-")
    }
}

const KINDS: [&str; 8] = [
    "api__v1__namespaces__golden-a__pods",
    "api__v1__namespaces__golden-a__configmaps",
    "api__v1__namespaces__golden-a__services",
    "api__v1__namespaces__golden-a__events",
    "apis__apps__v1__namespaces__golden-a__deployments",
    "apis__apps__v1__namespaces__golden-a__replicasets",
    "apis__batch__v1__namespaces__golden-b__jobs",
    "api__v1__namespaces__golden-a__pods",
];

/// A list of at least `bytes`.
pub fn body(bytes: usize, seed: u64) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/cluster");
    let mut random = Random(seed | 1);
    let mut templates = Vec::new();
    for kind in KINDS {
        let list: Value = serde_json::from_slice(&fs::read(golden.join(format!("{kind}.json")))?)?;
        templates.extend(list["items"].as_array().cloned().unwrap_or_default());
    }
    let words = words(&templates);
    let mut items = Vec::new();
    let mut item_bytes = 0;
    while item_bytes < bytes {
        let template = templates.get(random.below(templates.len())).ok_or("no golden items")?;
        let item = vary(template, &words, &mut random)?;
        item_bytes += item.1.len() + 1;
        items.push(item);
    }
    items.sort_unstable();
    let items: Vec<_> = items.into_iter().map(|(_, json)| json).collect();
    let head = r#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"94446"},"items":["#;
    Ok(format!("{head}{}]}}", items.join(",")).into_bytes())
}

/// `namespace/name` and JSON of a varied `template`.
fn vary(template: &Value, words: &[String], random: &mut Random) -> Result<(String, String), serde_json::Error> {
    let mut item = template.clone();
    let base = item["metadata"]["name"].as_str().unwrap_or("x").to_owned();
    let owner = item["metadata"]["ownerReferences"][0]["uid"].as_str().map(str::to_owned);
    let alphabet = b"bcdfghjklmnpqrstvwxz2456789";
    let name = format!("{base}-{}-{}", random.characters(alphabet, 10), random.characters(alphabet, 5));
    let metadata = &mut item["metadata"];
    let namespace = format!("team-{}", random.below(40));
    metadata["name"] = json!(name);
    metadata["namespace"] = json!(namespace);
    metadata["uid"] = json!(random.uid());
    metadata["resourceVersion"] = json!((10_000_000 + random.below(90_000_000)).to_string());
    if let Some(labels) = metadata["labels"].as_object_mut() {
        labels.remove("velero.io/exclude-from-backup");
    }
    if item["data"].is_object() {
        let count = 150 + random.below(450);
        let text: Vec<_> = (0..count).map(|_| words[random.below(words.len())].as_str()).collect();
        item["data"]["settings.yaml"] = json!(text.join(" "));
    }
    if item["spec"]["containers"].is_array() {
        let mut byte = || random.below(256);
        item["status"]["podIP"] = json!(format!("10.{}.{}.{}", byte(), byte(), byte()));
        item["spec"]["nodeName"] = json!(format!("node-{}", byte()));
    }
    let mut text = serde_json::to_string(&item)?;
    if let Some(owner) = owner {
        text = text.replace(&owner, &random.uid());
    }
    let time = format!("2026-11-{:02}T{:02}:{:02}:", 1 + random.below(28), random.below(24), random.below(60));
    Ok((format!("{namespace}/{name}"), text.replace("2026-11-23T23:40:", &time)))
}

/// Words of the golden items, and as many random ones.
fn words(items: &[Value]) -> Vec<String> {
    let text = items.iter().map(Value::to_string).collect::<String>();
    let mut words: Vec<_> =
        text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| w.len() > 2).map(str::to_owned).collect();
    words.sort_unstable();
    words.dedup();
    let mut random = Random(7);
    let made: Vec<_> =
        (0..words.len()).map(|_| random.characters(b"abcdefghijklmnopqrstuvwxyz0123456789", 8)).collect();
    words.extend(made);
    words
}
