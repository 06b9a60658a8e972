//! Enumerations: a word in JSON, a number in protobuf.

/// The text is none of the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {0}")]
pub struct NotOneOf(pub &'static str);

/// Declares an enumeration by its words (as `tt`, since utoipa takes no `literal` that has passed through a macro), with its conversions from text and from and to its protobuf twin, whose
/// variants have the same names.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident($proto:ty) { $first:ident = $first_word:tt $(, $variant:ident = $word:tt)* }) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
        $(#[$meta])*
        pub enum $name {
            #[serde(rename = $first_word)]
            $first,
            $(#[serde(rename = $word)] $variant,)*
        }

        impl std::str::FromStr for $name {
            type Err = $crate::routes::words::NotOneOf;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $first_word => Ok(Self::$first),
                    $($word => Ok(Self::$variant),)*
                    _ => Err($crate::routes::words::NotOneOf(concat!($first_word $(, ", ", $word)*))),
                }
            }
        }

        impl From<$name> for $proto {
            fn from(value: $name) -> Self {
                match value {
                    $name::$first => Self::$first,
                    $($name::$variant => Self::$variant,)*
                }
            }
        }

        /// From its number in protobuf; a number without a word is an error of the service's.
        impl TryFrom<i32> for $name {
            type Error = $crate::error::Problem;

            fn try_from(number: i32) -> Result<Self, Self::Error> {
                match <$proto>::try_from(number) {
                    Ok(<$proto>::$first) => Ok(Self::$first),
                    $(Ok(<$proto>::$variant) => Ok(Self::$variant),)*
                    _ => Err($crate::error::Problem::internal(format_args!(
                        "a service sent the unknown {} {number}",
                        stringify!($name)
                    ))),
                }
            }
        }
    };
}

pub(crate) use words;
