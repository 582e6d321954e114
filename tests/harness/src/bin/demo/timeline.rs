//! The timeline: what cert-manager does (told by the demo) and what happens at Cloudflare (told by the emulator), as
//! one list in order of time.

use std::sync::Mutex;
use std::time::Duration;

use cloudflare_emulator::Event;
use harness::{Challenge, Scene};
use tokio::time::sleep;

/// Collects and prints.
pub(crate) struct Timeline<'a> {
    scene: &'a Scene,
    challenges: &'a [Challenge; 2],
    state: Mutex<State>,
}

struct State {
    /// What cert-manager and the CA did, not printed yet.
    told: Vec<Line>,
    /// Up to here all has been printed.
    printed: u64,
    /// The emulator's clock when the demo began to count.
    origin: u64,
    /// Values that have been presented, and since when, to tell what was written ahead.
    presented: Vec<(u64, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    ms: u64,
    who: String,
    what: String,
    values: Vec<String>,
}

impl<'a> Timeline<'a> {
    /// Counts from now on.
    pub(crate) fn begin(scene: &'a Scene, challenges: &'a [Challenge; 2]) -> Self {
        let origin = millis(scene.started.elapsed());
        let state = State { told: Vec::new(), printed: origin, origin, presented: Vec::new() };
        Self { scene, challenges, state: Mutex::new(state) }
    }

    /// Something that cert-manager, the webhook or the CA did at this moment.
    pub(crate) fn tell(&self, who: &str, what: impl Into<String>, values: &[String]) {
        let line = Line { ms: self.now(), who: who.to_owned(), what: what.into(), values: values.to_vec() };
        self.state().told.push(line);
    }

    /// From now on this value is no longer written ahead of its `Present`.
    pub(crate) fn presented(&self, value: &str) {
        let now = self.now();
        self.state().presented.push((now, value.to_owned()));
    }

    /// Prints what happens until it is dropped.
    pub(crate) async fn follow(&self) {
        loop {
            sleep(STEP).await;
            // What is under way on another thread may have a time that is a little earlier.
            self.print_until(self.now().saturating_sub(millis(STEP)));
        }
    }

    /// Prints what happened up to a moment of the emulator's clock.
    pub(crate) fn print_until(&self, ms: u64) {
        let mut state = self.state();
        let (now, later) = state.told.drain(..).partition(|line| line.ms <= ms);
        state.told = later;
        let mut lines: Vec<Line> = now;
        let from = state.printed;
        let is_new = |line: &Line| line.ms > from && line.ms <= ms;
        let events = self.scene.cloudflare.timeline().into_iter();
        lines.extend(events.filter_map(|event| line(event, &state.presented)).filter(is_new));
        lines.sort_by_key(|line| line.ms);
        for group in lines.chunk_by(|a, b| (a.ms, &a.who, &a.what) == (b.ms, &b.who, &b.what)) {
            let values: Vec<_> = group.iter().flat_map(|line| &line.values).cloned().collect();
            let Line { ms, who, what, .. } = &group[0];
            let ms = ms.saturating_sub(state.origin);
            println!("  {ms:>6}   {who:<16}{what:<34}{}", self.letters(&values).trim_end());
        }
        state.printed = state.printed.max(ms);
    }

    /// Values as the letters of their challenges.
    fn letters(&self, values: &[String]) -> String {
        let letter = |challenge: &Challenge| values.iter().any(|value| value == challenge.value());
        let [a, b] = self.challenges;
        match (letter(a), letter(b)) {
            (true, true) => "A  B",
            (true, false) => "A",
            (false, true) => "   B",
            (false, false) => "",
        }
        .to_owned()
    }

    /// Cloudflare's clock.
    fn now(&self) -> u64 {
        millis(self.scene.started.elapsed())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// An event at Cloudflare, if it is one that belongs here.
fn line(event: Event, presented: &[(u64, String)]) -> Option<Line> {
    let line = |ms, who: String, what: &str, content: &str| {
        let values = vec![content.trim_matches('"').to_owned()];
        Some(Line { ms, who, what: what.to_owned(), values })
    };
    let host = |server: &str, address| format!("{} {address}", server.split('.').next().unwrap_or_default());
    match event {
        Event::Written { ms, content, .. } => {
            let is_it = |(at, value): &(u64, String)| *at <= ms && content.contains(value);
            let ahead = !presented.iter().any(is_it);
            let what = if ahead { "TXT record written ahead" } else { "TXT record written" };
            line(ms, "Cloudflare API".to_owned(), what, &content)
        }
        Event::Deleted { ms, content, .. } => {
            line(ms, "Cloudflare API".to_owned(), "TXT record deleted", &content)
        }
        Event::Visible { ms, server, address, content, .. } => {
            line(ms, host(&server, address), "serves it", &content)
        }
        Event::Gone { ms, server, address, content, .. } => {
            line(ms, host(&server, address), "serves it no more", &content)
        }
        Event::Api { .. } | Event::Dns { .. } => None,
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

const STEP: Duration = Duration::from_millis(20);
