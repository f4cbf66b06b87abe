//! A source that is stuck shows at once; anything finer is the provider's own concern.

use super::SelfTestError;
use crate::random::Random;

pub(super) fn run(random: &dyn Random) -> Result<(), SelfTestError> {
    let mut first = [0; 32];
    let mut second = [0; 32];
    random.fill(&mut first);
    random.fill(&mut second);
    let stuck = |octets: &[u8; 32]| octets.iter().all(|&octet| octet == octets[0]);
    if first == second || stuck(&first) || stuck(&second) {
        return Err(SelfTestError::Inconsistent { what: "randomness" });
    }
    Ok(())
}
