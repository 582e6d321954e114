//! Cloudflare's limits, as its answers tell them, and what of them may be used now. Pure.
//!
//! `Ratelimit: "default";r=50;t=30` and `Ratelimit-Policy: "default";q=1200;w=300` stand on every answer since 2025
//! (<https://developers.cloudflare.com/fundamentals/api/reference/limits/>): calls left, seconds until the window ends,
//! calls in a window, its seconds. They count everybody's calls: other tools', other replicas', the dashboard's.

use std::time::Duration;

use tokio::time::Instant;

use crate::cloudflare::exchange::Answer;

/// One limit and how much of it is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Policy {
    name: String,
    /// Calls in a window.
    limit: u32,
    window: Duration,
    left: u32,
    /// The end of the present window.
    ends: Instant,
}

/// What a limit, or several together, leave for the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Room {
    /// Next to nothing has been used: nobody waits.
    Ample {
        /// What the pace will be.
        gap: Duration,
        /// Calls that may run ahead of it.
        burst: u32,
    },
    /// One call each `gap`, so that the window ends before its calls do.
    Paced {
        /// From one call to the next.
        gap: Duration,
        /// Calls that may run ahead of it for a `Present`.
        burst: u32,
        /// The same for a `CleanUp`.
        clean_up_burst: u32,
        /// When the window does.
        ends: Instant,
    },
    /// What is left is the others'.
    Reserved(Instant),
    /// Nothing is left until then.
    Empty(Instant),
}

impl Policy {
    /// What is assumed where no answer says anything: 1,200 calls in five minutes, none of them used.
    pub(super) fn assumed(now: Instant) -> Self {
        Self { name: String::new(), limit: LIMIT, window: WINDOW, left: LIMIT, ends: now + WINDOW }
    }

    /// The limits that an answer tells, less the calls of ours that it can't count yet.
    pub(super) fn of(answer: &Answer, under_way: u32, now: Instant) -> Vec<Self> {
        let policies: Vec<_> = items(answer.header("ratelimit-policy")).collect();
        let limits = items(answer.header("ratelimit")).filter_map(|item| {
            let policy = policies.iter().find(|policy| policy.name == item.name);
            let of_policy = |key| policy.and_then(|policy| policy.number(key));
            let limit = u32::try_from(of_policy("q").unwrap_or(LIMIT.into())).ok()?;
            let window = of_policy("w").map_or(WINDOW, Duration::from_secs);
            let left = u32::try_from(item.number("r")?).unwrap_or(u32::MAX);
            let rest = Duration::from_secs(item.number("t")?).min(LONGEST_WINDOW);
            Some(Self {
                name: item.name.to_owned(),
                limit: limit.max(1),
                window: window.clamp(Duration::from_secs(1), LONGEST_WINDOW),
                left: left.saturating_sub(under_way),
                // Whole seconds, perhaps rounded down: the call after a window that is not over locks the account.
                ends: now + rest + Duration::from_secs(1),
            })
        });
        limits.take(MOST_POLICIES).collect()
    }

    /// A call is on its way.
    pub(super) fn spend(&mut self, now: Instant) {
        if now >= self.ends {
            (self.left, self.ends) = (self.limit, now + self.window);
        }
        self.left = self.left.saturating_sub(1);
    }

    /// The share that is left, of 1,000.
    pub(super) fn permille(&self, now: Instant) -> u32 {
        let left = if now >= self.ends { self.limit } else { self.left };
        (u64::from(left) * 1000 / u64::from(self.limit)).try_into().unwrap_or(u32::MAX)
    }

    /// What it leaves for the next call, while `gathered` changes and lists wait for one.
    pub(super) fn room(&self, now: Instant, gathered: u32) -> Room {
        let left = if now >= self.ends { self.limit } else { self.left };
        let used = self.limit.saturating_sub(left);
        // The more wait, the more of them share a call, and the less the pace matters to them.
        let slowness = if gathered < CROWD { REPLICAS } else { REPLICAS_OF_A_CROWD };
        let even = self.window * slowness / self.limit;
        let burst = (self.limit / AMPLE).max(1);
        if used < burst {
            return Room::Ample { gap: even, burst };
        }
        let usable = left.saturating_sub(self.limit / RESERVE);
        if usable == 0 {
            return if left == 0 { Room::Empty(self.ends) } else { Room::Reserved(self.ends) };
        }
        let gap = even.max(self.ends.saturating_duration_since(now) * REPLICAS / usable);
        let burst = burst.min(usable / BURST_OF_USABLE);
        let clean_up_burst = if used < self.limit / FRESH { burst } else { burst / 2 };
        Room::Paced { gap, burst, clean_up_burst, ends: self.ends }
    }
}

/// An item of a structured-field list, as far as these headers use it: a quoted name and numbers
/// ([RFC 9651](https://www.rfc-editor.org/rfc/rfc9651)).
struct Item<'a> {
    name: &'a str,
    parameters: &'a str,
}

impl Item<'_> {
    fn number(&self, key: &str) -> Option<u64> {
        let parameters = self.parameters.split(';').filter_map(|parameter| parameter.split_once('='));
        parameters.into_iter().find(|(name, _)| name.trim() == key)?.1.trim().parse().ok()
    }
}

fn items(header: Option<&str>) -> impl Iterator<Item = Item<'_>> {
    header.into_iter().flat_map(|list| list.split(',')).filter_map(|item| {
        let (name, parameters) = item.split_once(';')?;
        Some(Item { name: name.trim().trim_matches('"'), parameters })
    })
}

/// <https://developers.cloudflare.com/fundamentals/api/reference/limits/>
const LIMIT: u32 = 1200;
pub(super) const WINDOW: Duration = Duration::from_mins(5);
const LONGEST_WINDOW: Duration = Duration::from_hours(1);
const MOST_POLICIES: usize = 4;
/// While less than a fiftieth of a window is used nobody waits, and so many calls may run ahead of the pace.
const AMPLE: u32 = 50;
/// A twentieth is left to others: dashboard, external-dns, whoever else has the same user.
const RESERVE: u32 = 20;
/// Each of so many processes may keep this pace without a look at the others. Together they are even then slower
/// than what all read in the same headers allows, and one alone still makes two calls a second.
const REPLICAS: u32 = 2;
const BURST_OF_USABLE: u32 = 10;
/// No pace is faster than that, whatever a header says.
pub(super) const FASTEST: Duration = Duration::from_millis(1);
/// So many never wait where cert-manager has five workers, its default.
const CROWD: u32 = 9;
/// A call every three quarters of a second: for nine and more a small part of what each of them takes anyway.
const REPLICAS_OF_A_CROWD: u32 = 3;
/// While less than a tenth of a window is used, a `CleanUp` may run as far ahead as a `Present`: it holds one of
/// cert-manager's workers, too.
const FRESH: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudflare::script::limited;

    #[tokio::test(start_paused = true)]
    async fn headers_are_read_as_they_come() {
        let now = Instant::now();
        let seconds = Duration::from_secs;
        let policy = |name: &str, limit, window, left, rest| Policy {
            name: name.into(),
            limit,
            window: seconds(window),
            left,
            ends: now + seconds(rest) + seconds(1),
        };
        let cases = [
            ("\"default\";r=50;t=30", "\"default\";q=1200;w=300", vec![policy("default", 1200, 300, 48, 30)]),
            (
                "\"default\";r=50;t=30, \"burst\"; r=1 ;t=2",
                "\"burst\";q=100;w=60, \"default\";w=300;q=1200",
                vec![policy("default", 1200, 300, 48, 30), policy("burst", 100, 60, 0, 2)],
            ),
            // The limit alone: what it is a part of is assumed.
            ("\"x\";r=7;t=8", "\"y\";q=1;w=1", vec![policy("x", 1200, 300, 5, 8)]),
            ("\"x\";r=7", "\"x\";q=1;w=1", vec![]),
            ("\"x\";r=-7;t=1", "", vec![]),
            ("default", "", vec![]),
            ("", "", vec![]),
            // Nothing here can be made to divide by nothing or to wait for ever.
            ("\"x\";r=9;t=99999999999", "\"x\";q=0;w=0", vec![policy("x", 1, 1, 7, 3600)]),
        ];
        for (limit, policies, expected) in cases {
            assert_eq!(Policy::of(&limited(limit, policies), 2, now), expected, "{limit} {policies}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_room_shrinks_with_what_is_left() {
        let now = Instant::now();
        let room = |left, rest| {
            let policy = Policy { left, ends: now + Duration::from_secs(rest), ..Policy::assumed(now) };
            policy.room(now, 0)
        };
        let (even, burst) = (Duration::from_millis(500), 24);
        assert_eq!(room(1200, 300), Room::Ample { gap: even, burst });
        assert_eq!(room(1177, 300), Room::Ample { gap: even, burst });
        // Two processes that keep this pace end with the reserve, not before the window does.
        let paced = |gap, burst, clean_up_burst, rest| {
            let ends = now + Duration::from_secs(rest);
            Room::Paced { gap, burst, clean_up_burst, ends }
        };
        assert_eq!(room(1160, 275), paced(even, burst, burst, 275));
        assert_eq!(room(1080, 200), paced(even, burst, burst / 2, 200));
        assert_eq!(room(660, 300), paced(Duration::from_secs(1), burst, burst / 2, 300));
        assert_eq!(room(160, 300), paced(Duration::from_secs(6), 10, 5, 300));
        assert_eq!(room(160, 10), paced(even, 10, 5, 10));
        let ends = now + Duration::from_secs(9);
        assert_eq!(room(60, 9), Room::Reserved(ends));
        assert_eq!(room(0, 9), Room::Empty(ends));
        assert_eq!(room(0, 0), Room::Ample { gap: even, burst }, "a window that is over");
    }

    #[tokio::test(start_paused = true)]
    async fn the_pace_slows_down_as_more_share_a_call() {
        let now = Instant::now();
        let gap = |gathered| match (Policy {
            left: 1160,
            ends: now + Duration::from_secs(200),
            ..Policy::assumed(now)
        })
        .room(now, gathered)
        {
            Room::Paced { gap, .. } => gap.as_millis(),
            room => panic!("{room:?}"),
        };
        assert_eq!([0, 5, 8, 9, 15, 1000].map(gap), [500, 500, 500, 750, 750, 750]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_strictest_counts() {
        let later = Instant::now() + Duration::from_secs(1);
        let gap = Duration::from_secs(1);
        let order = [
            Room::Ample { gap, burst: 1 },
            Room::Paced { gap, burst: 1, clean_up_burst: 1, ends: later },
            Room::Paced { gap: gap * 2, burst: 1, clean_up_burst: 1, ends: later },
            Room::Reserved(later),
            Room::Empty(later),
        ];
        assert!(order.is_sorted());
    }
}
