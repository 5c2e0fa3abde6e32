//! Which kind of legs a call uses: what a caller may offer, what a callee answers, and what of that
//! the caller takes.
//!
//! Onion legs expose less: no third party sees them. They lead to the callee's own onion address, so
//! a person whose mailbox is on an operated server cannot be called over them. A disagreement is won
//! by the kind that exposes less, and nobody changes to the other kind unasked: where only that one
//! would work, there is no call.

use tacit_signaling::payload::Hosting;
use tacit_types::{LegKind, Reason};

/// Whether legs of this kind can reach a callee; asked before anything is sent.
///
/// # Errors
/// [`Reason::NeedsTurn`] if there is no onion address for them.
pub(crate) const fn may_offer(kind: LegKind, callee: Hosting) -> Result<(), Reason> {
    match (kind, callee) {
        (LegKind::Onion, Hosting::Operated) => Err(Reason::NeedsTurn),
        (LegKind::Onion, Hosting::Embedded) | (LegKind::Turn, _) => Ok(()),
    }
}

/// An offer that goes on with a call of ours: legs that expose more than this person agreed to for
/// that call are not taken, whoever rings and whenever.
pub(crate) const fn at_most(offered: LegKind, agreed: LegKind) -> LegKind {
    match (offered, agreed) {
        (LegKind::Turn, LegKind::Turn) => LegKind::Turn,
        (LegKind::Onion, _) | (_, LegKind::Onion) => LegKind::Onion,
    }
}

/// What a callee answers; `None` if nothing that it could answer would work.
pub(crate) const fn answer(offered: LegKind, own: Hosting, has_turn: bool) -> Option<LegKind> {
    match (offered, own) {
        (LegKind::Turn, _) if has_turn => Some(LegKind::Turn),
        (_, Hosting::Embedded) => Some(LegKind::Onion),
        // An offer of onion legs must not be answered with legs that expose more.
        (_, Hosting::Operated) => None,
    }
}

/// What the caller makes of the answer.
///
/// # Errors
/// [`Reason::NoCommonLegs`] for an answer that exposes more than was offered, or that leads nowhere.
pub(crate) const fn settle(
    offered: LegKind,
    answered: LegKind,
    callee: Hosting,
) -> Result<LegKind, Reason> {
    match (offered, answered, callee) {
        (LegKind::Turn, LegKind::Turn, _) => Ok(LegKind::Turn),
        (_, LegKind::Onion, Hosting::Embedded) => Ok(LegKind::Onion),
        (LegKind::Onion, LegKind::Turn, _) | (_, LegKind::Onion, Hosting::Operated) => {
            Err(Reason::NoCommonLegs)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [LegKind; 2] = [LegKind::Onion, LegKind::Turn];
    const HOSTINGS: [Hosting; 2] = [Hosting::Embedded, Hosting::Operated];

    #[test]
    fn only_onion_legs_to_a_mailbox_server_are_refused_before_the_ring() {
        for kind in KINDS {
            for callee in HOSTINGS {
                let leads_nowhere = kind == LegKind::Onion && callee == Hosting::Operated;
                let expected = if leads_nowhere {
                    Err(Reason::NeedsTurn)
                } else {
                    Ok(())
                };
                assert_eq!(may_offer(kind, callee), expected);
            }
        }
    }

    #[test]
    fn an_honest_answer_is_always_taken() {
        for offered in KINDS {
            for callee in HOSTINGS {
                for has_turn in [false, true] {
                    let Some(answered) = answer(offered, callee, has_turn) else {
                        assert_eq!(callee, Hosting::Operated);
                        continue;
                    };
                    assert_eq!(settle(offered, answered, callee), Ok(answered));
                }
            }
        }
    }

    #[test]
    fn turn_is_answered_where_there_is_a_turn_server_and_onion_legs_where_there_is_none() {
        let turn = LegKind::Turn;
        assert_eq!(answer(turn, Hosting::Embedded, true), Some(turn));
        assert_eq!(answer(turn, Hosting::Operated, true), Some(turn));
        assert_eq!(answer(turn, Hosting::Embedded, false), Some(LegKind::Onion));
        assert_eq!(answer(turn, Hosting::Operated, false), None);
        // What can reach a TURN server still does not answer with more than was offered.
        assert_eq!(
            answer(LegKind::Onion, Hosting::Embedded, true),
            Some(LegKind::Onion)
        );
        assert_eq!(answer(LegKind::Onion, Hosting::Operated, true), None);
    }

    #[test]
    fn an_offer_to_go_on_with_a_call_is_never_answered_with_more_than_was_agreed_to() {
        for offered in KINDS {
            for own in HOSTINGS {
                let answered = answer(at_most(offered, LegKind::Onion), own, true);
                let expected = (own == Hosting::Embedded).then_some(LegKind::Onion);
                assert_eq!(answered, expected, "{offered:?} {own:?}");
                assert_eq!(at_most(offered, LegKind::Turn), offered);
            }
        }
    }

    #[test]
    fn an_answer_that_exposes_more_or_leads_nowhere_is_refused() {
        let refused = Err(Reason::NoCommonLegs);
        for callee in HOSTINGS {
            assert_eq!(settle(LegKind::Onion, LegKind::Turn, callee), refused);
        }
        for offered in KINDS {
            assert_eq!(settle(offered, LegKind::Onion, Hosting::Operated), refused);
        }
    }
}
