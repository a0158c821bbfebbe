//! Where items of one group resource go in the archive.

use crate::error::EngineError;

/// The folders of one group resource and version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folder {
    /// `pods`, `deployments.apps`.
    pub group_resource: String,
    /// `v1`, without the group.
    pub version: String,
    /// Whether it is the preferred version: items are then written twice, as Velero does.
    pub preferred: bool,
}

impl Folder {
    /// The folder of items that are listed as `group_resource` at `api_version`.
    ///
    /// # Errors
    /// Where one of them, which come from a server's discovery, would not stay within its folder.
    pub fn new(group_resource: &str, api_version: &str, preferred: bool) -> Result<Self, EngineError> {
        let version = api_version.rsplit_once('/').map_or(api_version, |(_, version)| version);
        for part in [group_resource, version] {
            if matches!(part, "" | "." | "..") || part.bytes().any(|byte| matches!(byte, b'/' | 0)) {
                return Err(EngineError::archive(format!("{part:?} can't be a folder of the archive")));
            }
        }
        Ok(Self { group_resource: group_resource.to_owned(), version: version.to_owned(), preferred })
    }

    /// How often each item is written.
    pub(crate) fn copies(&self) -> usize {
        if self.preferred { 2 } else { 1 }
    }

    /// Write into `out` the path of an item: the one that restores read, or the one that names the version.
    pub(crate) fn path(&self, namespace: &str, name: &str, with_version: bool, out: &mut String) {
        out.clear();
        out.push_str("resources/");
        out.push_str(&self.group_resource);
        if with_version {
            out.push('/');
            out.push_str(&self.version);
            out.push_str(if self.preferred { "-preferredversion" } else { "" });
        }
        if namespace.is_empty() {
            out.push_str("/cluster/");
        } else {
            out.push_str("/namespaces/");
            out.push_str(namespace);
            out.push('/');
        }
        out.push_str(name);
        out.push_str(".json");
    }
}
