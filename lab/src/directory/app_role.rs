//! Application permissions of Microsoft Graph: what an application may do in a directory without a signed-in user.
//! <https://learn.microsoft.com/graph/permissions-reference#application-permissions>

use uuid::Uuid;

/// An app role of Microsoft Graph, as far as it is about applications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AppRole {
    /// `Application.Read.All`.
    ApplicationReadAll,
    /// `Application.ReadWrite.OwnedBy`: reads all, changes what the caller owns.
    ApplicationReadWriteOwnedBy,
    /// `Application.ReadWrite.All`.
    ApplicationReadWriteAll,
}

impl AppRole {
    /// What stands in the `roles` of a token.
    pub const fn value(self) -> &'static str {
        match self {
            Self::ApplicationReadAll => "Application.Read.All",
            Self::ApplicationReadWriteOwnedBy => "Application.ReadWrite.OwnedBy",
            Self::ApplicationReadWriteAll => "Application.ReadWrite.All",
        }
    }
}

/// One app role of Microsoft Graph given to one principal, in the principal's tenant.
#[derive(Clone, Debug)]
pub struct AppRoleAssignment {
    /// Object id of the service principal or managed identity.
    pub principal_id: Uuid,
    /// The role given.
    pub role: AppRole,
}

/// An owner of an application, and of its service principal in its home tenant.
#[derive(Clone, Debug)]
pub struct ApplicationOwner {
    /// The application.
    pub app_id: Uuid,
    /// Object id of the owner.
    pub principal_id: Uuid,
}
