//! Gzip members made side by side and handed out in order.
//!
//! At most `2 * threads` members are held; then `push` waits. Where no thread is free the caller compresses.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::deflate::{Level, member};
use crate::error::EngineError;

/// A number that orders members, and bytes.
type Numbered<T> = (u64, T);
type Compressed = Result<Vec<u8>, EngineError>;

/// Compresses what is pushed, with `threads` in all.
#[derive(Debug)]
pub struct Members {
    level: Level,
    threads: usize,
    pushed: u64,
    taken: u64,
    ready: BTreeMap<u64, Compressed>,
    queue: Option<SyncSender<Numbered<Vec<u8>>>>,
    results: Receiver<Numbered<Compressed>>,
    helpers: Vec<JoinHandle<()>>,
}

impl Members {
    /// `threads` of 1 or less: all in the caller.
    #[must_use]
    pub fn new(level: Level, threads: usize) -> Self {
        let threads = threads.max(1);
        let (queue, jobs) = sync_channel(threads - 1);
        let (done, results) = channel();
        let jobs = Arc::new(Mutex::new(jobs));
        let helper = |_| {
            let (jobs, done) = (Arc::clone(&jobs), done.clone());
            std::thread::spawn(move || help(level, &jobs, &done))
        };
        let helpers: Vec<_> = (1..threads).map(helper).collect();
        let queue = (threads > 1).then_some(queue);
        Self { level, threads, pushed: 0, taken: 0, ready: BTreeMap::new(), queue, results, helpers }
    }

    /// Compress `input` as the next member; waits while too many are held.
    ///
    /// # Errors
    /// Where the helping threads are gone.
    pub fn push(&mut self, input: Vec<u8>) -> Result<(), EngineError> {
        let number = self.pushed;
        self.pushed += 1;
        let refused = match &self.queue {
            None => Some(input),
            Some(queue) => match queue.try_send((number, input)) {
                Ok(()) => None,
                Err(TrySendError::Full((_, input)) | TrySendError::Disconnected((_, input))) => Some(input),
            },
        };
        if let Some(input) = refused {
            self.ready.insert(number, member(self.level, &input));
        }
        self.ready.extend(self.results.try_iter());
        while self.pushed - self.taken > 2 * self.threads as u64 && !self.ready.contains_key(&self.taken) {
            self.wait()?;
        }
        Ok(())
    }

    /// The next member in order, if it is ready.
    ///
    /// # Errors
    /// Where it could not be compressed.
    pub fn next_ready(&mut self) -> Result<Option<Vec<u8>>, EngineError> {
        self.ready.extend(self.results.try_iter());
        let Some(compressed) = self.ready.remove(&self.taken) else { return Ok(None) };
        self.taken += 1;
        compressed.map(Some)
    }

    /// Wait until all members are ready.
    ///
    /// # Errors
    /// Where the helping threads are gone.
    pub fn wait_for_all(&mut self) -> Result<(), EngineError> {
        while (self.ready.len() as u64) < self.pushed - self.taken {
            self.wait()?;
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<(), EngineError> {
        let (number, compressed) =
            self.results.recv().map_err(|_| EngineError::archive("the compressing threads ended early"))?;
        self.ready.insert(number, compressed);
        Ok(())
    }
}

impl Drop for Members {
    /// Helpers end once the queue is closed; a panic of theirs was reported as `ended early`.
    fn drop(&mut self) {
        self.queue = None;
        for helper in self.helpers.drain(..) {
            let _ = helper.join();
        }
    }
}

fn help(level: Level, jobs: &Mutex<Receiver<Numbered<Vec<u8>>>>, done: &Sender<Numbered<Compressed>>) {
    loop {
        let Ok(jobs) = jobs.lock() else { return };
        let Ok((number, input)) = jobs.recv() else { return };
        drop(jobs);
        if done.send((number, member(level, &input))).is_err() {
            return;
        }
    }
}
