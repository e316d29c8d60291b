//! Which shard an Application belongs to, and how many shards a replica keeps: pure, and the same in every replica.

use sha2::{Digest as _, Sha256};

/// The shard of an Application, by rendezvous hash: when a shard is added, only what it gets moves.
pub(crate) fn shard_of(namespace: &str, name: &str, shards: u32) -> u32 {
    let weight = |shard: &u32| {
        let digest = Sha256::digest(format!("{shard}\0{namespace}/{name}"));
        digest.iter().take(8).fold(0_u64, |weight, byte| weight << 8 | u64::from(*byte))
    };
    (0..shards).max_by_key(weight).unwrap_or_default()
}

/// How many of the shards a replica keeps among those that live, itself among them: as many as every other, and the first of them,
/// by name, one more where they cannot be shared out evenly.
pub(crate) fn share_of(replica: &str, living: &[String], shards: u32) -> u32 {
    let mut living: Vec<&str> = living.iter().map(String::as_str).chain([replica]).collect();
    living.sort_unstable();
    living.dedup();
    let several = u32::try_from(living.len()).unwrap_or(u32::MAX);
    let place = living.iter().position(|one| *one == replica).and_then(|place| u32::try_from(place).ok());
    shards / several + u32::from(place.is_some_and(|place| place < shards % several))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        (0..2000).map(|number| format!("app-{number}")).collect()
    }

    #[test]
    fn applications_are_spread_over_all_shards_and_one_more_shard_moves_only_what_it_gets() {
        for shards in [1, 3, 4, 16] {
            let placed: Vec<u32> = names().iter().map(|name| shard_of("argocd", name, shards)).collect();
            for shard in 0..shards {
                let share = placed.iter().filter(|placed| **placed == shard).count();
                let even = 2000 / shards as usize;
                assert!(share > even / 2 && share < even * 2, "{share} of {even} in {shard} of {shards}");
            }
            for (name, before) in names().iter().zip(placed) {
                let after = shard_of("argocd", name, shards + 1);
                assert!(after == before || after == shards, "{name} went from {before} to {after}");
            }
        }
        assert_eq!(shard_of("argocd", "shop", 4), shard_of("argocd", "shop", 4));
        assert_eq!(shard_of("argocd", "shop", 0), 0);
    }

    /// What was placed by one version is placed there by the next one: two versions run side by side during an upgrade.
    #[test]
    fn where_an_application_is_placed_never_changes_between_versions() {
        let placed: Vec<u32> =
            ["shop", "observability", "sens-test", "sens-prod"].map(|name| shard_of("argocd", name, 4)).to_vec();
        assert_eq!(placed, PLACED);
    }

    const PLACED: [u32; 4] = [2, 2, 2, 0];

    #[test]
    fn shares_add_up_to_all_shards_whoever_lives() {
        for shards in 1..9 {
            for several in 1..6 {
                let living: Vec<String> = (0..several).map(|number| format!("replica-{number}")).collect();
                let shares: Vec<u32> = living.iter().map(|one| share_of(one, &living, shards)).collect();
                assert_eq!(shares.iter().sum::<u32>(), shards);
                let (most, least) = (shares.iter().max().copied(), shares.iter().min().copied());
                assert!(most.unwrap_or_default() - least.unwrap_or_default() <= 1);
            }
        }
        assert_eq!(share_of("alone", &[], 4), 4);
    }
}
