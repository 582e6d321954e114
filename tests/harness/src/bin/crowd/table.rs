//! What the tables of this binary have in common.

use std::collections::BTreeMap;

use cloudflare_emulator::Stats;

/// A figure and what is aimed at.
pub(crate) fn row(what: &str, value: &str, aim: &str) {
    println!("  {what:<52}{value:>22}   {aim}");
}

/// The same of two runs.
pub(crate) fn pair(what: &str, first: &str, second: &str, aim: &str) {
    println!("  {what:<44}{first:>18}{second:>18}   {aim}");
}

/// What was said how often, each on a line.
pub(crate) fn reasons(failed: &BTreeMap<String, u64>) {
    for (why, times) in failed {
        println!("    {times:>6} x {why}");
    }
}

/// All questions to name servers and resolvers.
pub(crate) fn queries(stats: &Stats) -> u64 {
    stats.dns_queries_by_server.values().sum()
}
