//! An act of one statement and what it tells, in one round trip.

use diesel::{
    pg::Pg,
    query_builder::{AstPass, QueryFragment, QueryId},
    result::QueryResult,
    sql_types::{BigInt, Text},
};

use crate::outbox::Message;

/// A statement that writes, and returns what it wrote, with a message that is kept where it wrote a row. To be executed: it
/// is how many messages were kept. Once that is committed, `Outbox::wake` is to be called.
#[derive(QueryId)]
pub struct Told<A> {
    act: A,
    id: String,
    message: Message,
}

impl<A> Told<A> {
    pub fn new(act: A, message: Message) -> Self {
        Self { act, id: message.id.to_string(), message }
    }
}

impl<A: QueryFragment<Pg>> QueryFragment<Pg> for Told<A> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let Self { act, id, message } = self;
        out.push_sql("WITH act AS (");
        act.walk_ast(out.reborrow())?;
        out.push_sql(") INSERT INTO outbox (id, subject, version, kind, body) SELECT ");
        out.push_bind_param::<Text, _>(id)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(&message.subject)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&message.version)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(&message.kind)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(&message.body)?;
        out.push_sql(" FROM act");
        Ok(())
    }
}
