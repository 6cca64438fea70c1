//! The deciding core.

/// What happens to an op whose base is behind (section 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// The order of arrival decides.
    #[default]
    Accept,
    /// A base that is behind, and no claim on an existing item, is refused.
    RejectStale,
    /// Property by property: the server's value wins where both touched the same, a delete wins over an update.
    Merge,
}
