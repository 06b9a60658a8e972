//! What a post is about, found from its words.
//!
//! Each word that stands in a topic's list scores for that topic, in the title twice. The highest score wins; of equal
//! ones the first of economic, philosophical, strategic; without any score the topic is general. Words are runs of
//! letters and digits, compared in lower case, in singular or with a plural `s`.

use std::{collections::HashMap, sync::LazyLock};

pub use proto::discourse::words::Topic;

/// The topics that words score for; of equal scores the first wins.
const SCORED: [(Topic, &str); 3] = [
    (
        Topic::Economic,
        "asset auction bank barter bond budget business buyer capital capitalism cash commerce commodity competition \
         consumer cost credit crypto currency debt deflation demand dividend dollar earnings economic economics economy \
         enterprise entrepreneur equity euro exchange export finance financial fiscal fund gdp gold goods growth import \
         income inflation interest invest investing investment investor labor labour ledger liquidity loan macro margin \
         market marketplace merchant money monetary monopoly mortgage payment price pricing producer product profit \
         property purchase recession rent revenue salary sale scarcity seller share stock subsidy supply tariff tax taxes \
         trade trader trading treasury unemployment value wage wallet wealth yield",
    ),
    (
        Topic::Philosophical,
        "absurd aesthetics altruism argument axiom being belief consciousness conscience determinism dialectic dialectics \
         dignity duty egoism empiricism epistemology equality essence ethic ethics ethical evil existence existential \
         existentialism faith fallacy fairness freedom happiness human humanism idea ideal idealism identity ideology \
         individualism justice kant knowledge liberty logic marx meaning metaphysics mind moral morality moralist nature \
         nihilism objectivism ontology paradox phenomenology philosopher philosophical philosophy plato purpose rand \
         rational rationality reason reality relativism rights self skepticism socrates soul stoic stoicism subjective \
         theory thought truth universal utilitarian utilitarianism utopia virtue wisdom",
    ),
    (
        Topic::Strategic,
        "advantage adversary aggression agenda agreement alliance ally ambition attack blockade campaign challenge coalition \
         conquest contingency coordination countermeasure coup defence defense deploy deterrence diplomacy dominance \
         embargo enemy escalation execution expansion forecast goal initiative intelligence leverage logistics maneuver \
         milestone mission mobilise mobilize negotiate negotiation objective offense offensive opponent opportunity \
         partnership plan planning position positioning priority project resource risk rival roadmap scenario security \
         strategic strategist strategy strength tactic tactical target threat timeline treaty victory war warfare weakness",
    ),
];

static TOPICS: LazyLock<HashMap<&str, usize>> = LazyLock::new(|| {
    let lists = SCORED.iter().enumerate();
    lists.flat_map(|(index, (_, words))| words.split_whitespace().map(move |word| (word, index))).collect()
});

/// What a post with this title and content is about. Linear in their length.
pub(crate) fn of(title: &str, content: &str) -> Topic {
    let mut scores = [0_usize; SCORED.len()];
    let mut word = String::new();
    for (text, weight) in [(title, 2), (content, 1)] {
        for raw in text.split(|letter: char| !letter.is_alphanumeric()) {
            word.clear();
            word.extend(raw.chars().flat_map(char::to_lowercase));
            let singular = || TOPICS.get(word.strip_suffix('s')?);
            if let Some(topic) = TOPICS.get(word.as_str()).or_else(singular) {
                scores[*topic] += weight;
            }
        }
    }
    // `max_by_key` takes the last of equals, so the first is put last.
    let best = scores.iter().zip(SCORED).rev().max_by_key(|(score, _)| **score);
    best.filter(|(score, _)| **score > 0).map_or(Topic::General, |(_, (topic, _))| topic)
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_decide() {
        assert_eq!(of("", "Prices follow supply and demand."), Topic::Economic);
        assert_eq!(of("", "Is FREEDOM a virtue, or only an idea?"), Topic::Philosophical);
        assert_eq!(of("", "The alliance needs a plan against its rivals."), Topic::Strategic);
        assert_eq!(of("", "Hello there, nice weather."), Topic::General);
        assert_eq!(of("", ""), Topic::General);
    }

    #[test]
    fn a_word_in_the_title_counts_twice() {
        assert_eq!(of("", "war and market, market"), Topic::Economic);
        assert_eq!(of("War, war", "market market market"), Topic::Strategic);
    }

    #[test]
    fn of_equal_scores_the_first_topic_wins() {
        assert_eq!(of("", "war truth market"), Topic::Economic);
        assert_eq!(of("", "war truth"), Topic::Philosophical);
    }

    #[test]
    fn only_whole_words_count() {
        assert_eq!(of("", "warden planet supermarkets"), Topic::General);
        assert_eq!(of("", "markets,plans;plans"), Topic::Strategic);
    }

    #[test]
    fn no_word_stands_for_two_topics() {
        let count: usize = SCORED.iter().map(|(_, words)| words.split_whitespace().count()).sum();
        assert_eq!(TOPICS.len(), count);
    }
}
