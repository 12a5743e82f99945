use std::collections::{HashMap, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// The stack of a thread: [`super::AWAY_DEPTH`] levels of the deepest work, the check of a value
/// against a schema, at 4 KiB each in a build without optimisation, and as much again. Only what is
/// touched is memory.
const STACK: usize = 32 << 20;

/// Threads where the machine has one core, or does not say: with one, a tenant's work would wait
/// for another's.
const LEAST_THREADS: usize = 2;

pub(super) type WorkJob = Box<dyn FnOnce() + Send>;

/// The threads of the host's work: one set a process, since cores are the process's.
pub(super) struct Pool {
    shared: Arc<PoolShared>,
}

#[derive(Default)]
struct PoolShared {
    queues: Mutex<Queues>,
    more: Condvar,
}

/// What waits, by tenant. A call has one piece of work at a time, so what waits is bounded by the
/// calls that there are.
#[derive(Default)]
struct Queues {
    /// Tenants that have work waiting, the one whose turn it is first.
    waiting: VecDeque<(usize, VecDeque<WorkJob>)>,
    running: HashMap<usize, usize>,
    threads: usize,
}

impl Pool {
    pub(super) fn global() -> &'static Self {
        static SHARED: OnceLock<Pool> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(cores()))
    }

    fn start(threads: usize) -> Self {
        let shared = Arc::new(PoolShared::default());
        for _ in 0..threads {
            let own = Arc::clone(&shared);
            let started = std::thread::Builder::new()
                .name("host-work".into())
                .stack_size(STACK)
                .spawn(move || own.run_worker());
            match started {
                Ok(_) => shared.queues().threads += 1,
                Err(error) => {
                    tracing::error!(%error, "a thread for the host's work cannot be started")
                }
            }
        }
        Self { shared }
    }

    pub(super) fn push(&self, tenant: usize, job: WorkJob) -> io::Result<()> {
        let mut queues = self.shared.queues();
        if queues.threads == 0 {
            return Err(io::Error::other("none could be started"));
        }
        match queues
            .waiting
            .iter_mut()
            .find(|(known, _)| *known == tenant)
        {
            Some((_, jobs)) => jobs.push_back(job),
            None => queues.waiting.push_back((tenant, VecDeque::from([job]))),
        }
        drop(queues);
        self.shared.more.notify_one();
        Ok(())
    }
}

fn cores() -> usize {
    let cores = std::thread::available_parallelism().map_or(LEAST_THREADS, std::num::NonZero::get);
    cores.max(LEAST_THREADS)
}

impl Queues {
    /// The next job of the next tenant that does not have all threads but one already.
    fn next(&mut self) -> Option<(usize, WorkJob)> {
        let share = self.threads.saturating_sub(1).max(1);
        let may = |running: &HashMap<usize, usize>, tenant| {
            running.get(tenant).is_none_or(|own| *own < share)
        };
        let at = self
            .waiting
            .iter()
            .position(|(tenant, _)| may(&self.running, tenant))?;
        let (tenant, mut jobs) = self.waiting.remove(at)?;
        let job = jobs.pop_front()?;
        if !jobs.is_empty() {
            self.waiting.push_back((tenant, jobs));
        }
        *self.running.entry(tenant).or_default() += 1;
        Some((tenant, job))
    }

    fn finish_job(&mut self, tenant: usize) {
        if let Some(running) = self.running.get_mut(&tenant) {
            *running = running.saturating_sub(1);
            if *running == 0 {
                self.running.remove(&tenant);
            }
        }
    }
}

impl PoolShared {
    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run_worker(&self) {
        let mut queues = self.queues();
        loop {
            let Some((tenant, job)) = queues.next() else {
                queues = self
                    .more
                    .wait(queues)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(queues);
            // The job catches its own; this is for what it drops.
            let _caught = catch_unwind(AssertUnwindSafe(job));
            queues = self.queues();
            queues.finish_job(tenant);
            // One that waited for its share may go on.
            self.more.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::Pool;

    #[test]
    fn a_tenant_that_has_much_to_do_leaves_a_thread_to_others() {
        let pool = Pool::start(2);
        let (end, wait) = mpsc::channel::<()>();
        let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
        for _ in 0..20 {
            let wait = std::sync::Arc::clone(&wait);
            pool.push(
                1,
                Box::new(move || {
                    let _ended = wait.lock().unwrap().recv();
                }),
            )
            .unwrap();
        }
        let (done, other) = mpsc::channel();
        pool.push(2, Box::new(move || done.send(()).unwrap()))
            .unwrap();
        other.recv().unwrap();
        for _ in 0..20 {
            end.send(()).unwrap();
        }
        let (done, own) = mpsc::channel();
        pool.push(1, Box::new(move || done.send(()).unwrap()))
            .unwrap();
        own.recv().unwrap();
    }
}
