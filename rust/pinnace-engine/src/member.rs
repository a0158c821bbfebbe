//! Gzip members made side by side and handed out in order.
//!
//! Members on their way are bounded in number and bytes; at the bound the caller compresses the oldest one
//! that waits, so that a thread is never idle while another has more than it can do.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use sha2::{Digest, Sha256};

use crate::deflate::{Deflate, Level, encoder};
use crate::error::EngineError;

/// Tar bytes after which a member ends; small enough to read one object cheaply, large enough to compress well.
pub const MEMBER_BYTES: usize = 1 << 20;

/// A buffer that one huge item has grown beyond this is not kept for the next member.
const KEPT_BUFFER_BYTES: usize = 4 * MEMBER_BYTES;

/// One item's place in its member's tar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemPlace {
    /// Which of the archive's kinds it is of.
    pub kind: u32,
    /// Its JSON in the member's tar; of the first copy.
    pub json: Range<usize>,
    /// Of that JSON.
    pub sha256: [u8; 32],
    /// Bytes of its namespace in the member's texts.
    pub namespace_bytes: usize,
    /// Bytes of its name, which follow.
    pub name_bytes: usize,
}

/// Tar bytes being gathered, with the places of the items in them.
#[derive(Debug, Default)]
pub struct Draft {
    /// Whole entries.
    pub tar: Vec<u8>,
    /// In order.
    pub items: Vec<ItemPlace>,
    /// Namespace and name of each item, one after the other.
    pub texts: String,
}

/// A draft that was hashed and compressed.
#[derive(Debug)]
pub struct Member {
    /// One complete gzip member.
    pub gzip: Vec<u8>,
    /// Its bytes uncompressed.
    pub tar_bytes: usize,
    /// As in the draft, now with their hashes.
    pub items: Vec<ItemPlace>,
    /// As in the draft.
    pub texts: String,
}

type Packed = Result<Member, EngineError>;

/// What the threads share.
#[derive(Default)]
struct State {
    waiting: VecDeque<(u64, Draft)>,
    done: BTreeMap<u64, Packed>,
    spare: Vec<Vec<u8>>,
    /// Tar bytes that wait or are being compressed.
    bytes: usize,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
    progress: Condvar,
}

impl Shared {
    /// A thread that panicked has left the state between two statements that can't be torn apart.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Hashes and compresses drafts with a fixed number of threads, the caller's among them.
pub struct Members {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
    own: Box<dyn Deflate>,
    pushed: u64,
    taken: u64,
    limit: u64,
}

impl Members {
    /// `threads` of 1 or less: all in the caller.
    ///
    /// # Errors
    /// Where the system gives no more threads.
    pub fn new(level: Level, threads: usize) -> Result<Self, EngineError> {
        let shared = Arc::new(Shared::default());
        let mut members =
            Self { shared, helpers: Vec::new(), own: encoder(level), pushed: 0, taken: 0, limit: threads as u64 + 2 };
        for number in 1..threads {
            let shared = Arc::clone(&members.shared);
            let helper = std::thread::Builder::new().name(format!("pinnace-member-{number}"));
            let handle = helper.spawn(move || help(&shared, encoder(level).as_mut()));
            members.helpers.push(handle.map_err(|error| EngineError::archive(format!("no thread: {error}")))?);
        }
        Ok(members)
    }

    /// An empty draft with room for a member.
    pub fn draft(&mut self) -> Draft {
        let room = || Vec::with_capacity(MEMBER_BYTES + MEMBER_BYTES / 4);
        Draft { tar: self.shared.lock().spare.pop().unwrap_or_else(room), ..Draft::default() }
    }

    /// Make `draft` the next member; at the bound, compress or wait first.
    ///
    /// # Errors
    /// Where a helping thread is gone.
    pub fn push(&mut self, draft: Draft) -> Result<(), EngineError> {
        let number = self.pushed;
        self.pushed += 1;
        let mut state = self.shared.lock();
        state.bytes += draft.tar.len();
        state.waiting.push_back((number, draft));
        drop(state);
        self.shared.work.notify_one();
        let limit_bytes = usize::try_from(self.limit).unwrap_or(usize::MAX).saturating_mul(2 * MEMBER_BYTES);
        let over = |state: &State, on_the_way: u64| on_the_way > self.limit || state.bytes > limit_bytes;
        loop {
            let state = self.shared.lock();
            let on_the_way = self.pushed - self.taken - state.done.len() as u64;
            if !self.helpers.is_empty() && !over(&state, on_the_way) || on_the_way == 0 {
                return Ok(());
            }
            drop(state);
            Self::advance(&self.shared, self.own.as_mut(), &self.helpers)?;
        }
    }

    /// The next member in order, if it is ready.
    ///
    /// # Errors
    /// Where it could not be compressed.
    pub fn next_ready(&mut self) -> Result<Option<Member>, EngineError> {
        let Some(packed) = self.shared.lock().done.remove(&self.taken) else { return Ok(None) };
        self.taken += 1;
        packed.map(Some)
    }

    /// The next member in order, made or waited for; None once all are taken.
    ///
    /// # Errors
    /// Where it could not be compressed.
    pub fn wait_next(&mut self) -> Result<Option<Member>, EngineError> {
        while self.taken < self.pushed {
            if let Some(member) = self.next_ready()? {
                return Ok(Some(member));
            }
            Self::advance(&self.shared, self.own.as_mut(), &self.helpers)?;
        }
        Ok(None)
    }

    /// Compress the oldest draft that waits, or wait until a helper has ended one.
    fn advance(shared: &Shared, own: &mut dyn Deflate, helpers: &[JoinHandle<()>]) -> Result<(), EngineError> {
        let mut state = shared.lock();
        if let Some((number, draft)) = state.waiting.pop_front() {
            drop(state);
            finish_one(shared, number, draft, own);
            return Ok(());
        }
        let before = state.done.len();
        while state.done.len() == before {
            if helpers.iter().any(JoinHandle::is_finished) {
                return Err(EngineError::archive("a compressing thread ended early"));
            }
            let waited = shared.progress.wait_timeout(state, std::time::Duration::from_millis(100));
            state = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
        Ok(())
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_all();
        for helper in self.helpers.drain(..) {
            // A helper's panic was reported by `advance`.
            let _ = helper.join();
        }
    }
}

fn help(shared: &Shared, deflate: &mut dyn Deflate) {
    loop {
        let mut state = shared.lock();
        let (number, draft) = loop {
            if state.closed {
                return;
            }
            match state.waiting.pop_front() {
                Some(job) => break job,
                None => state = shared.work.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner),
            }
        };
        drop(state);
        finish_one(shared, number, draft, deflate);
    }
}

fn finish_one(shared: &Shared, number: u64, mut draft: Draft, deflate: &mut dyn Deflate) {
    let packed = pack(&mut draft, deflate);
    let mut state = shared.lock();
    state.bytes -= draft.tar.len();
    state.done.insert(number, packed);
    if draft.tar.capacity() <= KEPT_BUFFER_BYTES {
        draft.tar.clear();
        state.spare.push(draft.tar);
    }
    drop(state);
    shared.progress.notify_one();
}

fn pack(draft: &mut Draft, deflate: &mut dyn Deflate) -> Packed {
    for item in &mut draft.items {
        item.sha256 = Sha256::digest(&draft.tar[item.json.clone()]).into();
    }
    Ok(Member {
        gzip: deflate.member(&draft.tar)?,
        tar_bytes: draft.tar.len(),
        items: mem::take(&mut draft.items),
        texts: mem::take(&mut draft.texts),
    })
}
