#!/usr/bin/env python3
"""A throw-away MongoDB for the tests where no mongod can be installed: nx-27017, taught what the marketplace needs.

    pip install nx-27017==0.8.1 neosqlite==1.17.2
    python marketplace/tests/mongodb-stand-in.py --data-dir memory --port 27099

Takes nx-27017's flags and prints what it prints. What is mended here, from outside, so that the store itself can be
written for MongoDB alone:

- Transactions: nx-27017 runs all sessions of a database in one SQLite transaction, which reads do not begin. Here they
  do, and a session that has begun one has the database to itself; another one that wants to begin soon gets a
  WriteConflict, as MongoDB would answer, and everything else waits for its turn. A session that falls silent, or whose
  client was killed, loses its transaction.
- A commit is told by no number. Here it is kept with what it commits, so that one that is asked for again, also after the
  server was killed, is answered as it ended.
- Compound indexes that end in `_id` break every insert. They are made without it.
- `$set` stores a date as text. Such updates take the longer way, which does not.
- A filter that asks for an ObjectId elsewhere than in `_id` finds nothing. It asks for one of a list of one.
- A `$match` of an aggregation (so also a count) that asks for ObjectIds in `_id` finds nothing. It asks for their text.
- Validators and index names are forgotten. They are kept, to be read back; validators are not enforced.
"""

import sqlite3
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from datetime import datetime
from pathlib import Path

from bson import ObjectId
from neosqlite.collection.query_helper import QueryHelper
from nx_27017 import handler as nx
from nx_27017.nx_27017 import main

PATIENCE = 0.05  # seconds that the begin of a transaction waits for its turn
LIFETIME = 1.0  # seconds that a transaction may be silent

turns = threading.Condition()
holders = {}  # database -> Holder
plain = Counter()  # database -> commands outside of transactions that are under way
committed = set()  # (session, number of its transaction)
collections = {}  # (database, collection) -> {"options": …, "indexes": {name: specification}}


def transient(code, name):
    return {"ok": 0, "code": code, "codeName": name, "errmsg": name, "errorLabels": ["TransientTransactionError"]}


class Holder:
    """A session with its transaction; it was heard on a connection, which is a thread."""

    def __init__(self, session):
        self.session, self.heard, self.connection = session, time.monotonic(), threading.current_thread()

    def is_gone(self):
        return not self.connection.is_alive() or time.monotonic() - self.heard > LIFETIME


def take_turn(handler, database, session, begins, inside):
    """Waits until the command may run; an answer instead where it may not."""
    give_up = time.monotonic() + PATIENCE
    with turns:
        while True:
            holder = holders.get(database)
            if holder and holder.is_gone():
                for silent in handler._tx_sessions(holder.session):
                    silent.abort_transaction()
                del holders[database]
                holder = None
            if holder and inside and holder.session == session:
                holders[database] = Holder(session)
                return None
            if inside and not begins:
                return transient(251, "NoSuchTransaction")
            if not holder and not inside:
                plain[database] += 1
                return None
            if not holder and not plain[database]:
                holders[database] = Holder(session)
                return None
            if begins and time.monotonic() >= give_up:
                return transient(112, "WriteConflict")
            turns.wait(PATIENCE)


def end_plain(database):
    with turns:
        plain[database] -= 1
        if not plain[database]:
            turns.notify_all()


def release(session):
    with turns:
        for database in [name for name, holder in holders.items() if holder.session == session]:
            del holders[database]
        turns.notify_all()


def note_commit(handler, session, number):
    """Keeps that the transaction was committed, in the transaction."""
    for owner in handler._tx_sessions(session):
        owner.client.db.execute("CREATE TABLE IF NOT EXISTS committed (session TEXT, number INTEGER)")
        owner.client.db.execute("INSERT INTO committed VALUES (?, ?)", (session, number))


def was_committed(handler, session, number):
    if (session, number) in committed:
        return True
    for file in Path(handler._data_dir).glob("*.db") if handler._data_dir else []:
        with closing(sqlite3.connect(file)) as database:
            try:
                noted = database.execute("SELECT 1 FROM committed WHERE session = ? AND number = ?", (session, number))
                if noted.fetchone():
                    return True
            except sqlite3.OperationalError:
                pass  # nothing was committed there
    return False


def end(handler, original, message, body, session):
    """Commits or aborts the session's transaction."""
    commits, number = "commitTransaction" in body, body.get("txnNumber")
    try:
        if commits:
            note_commit(handler, session, number)
        request_id, answer = original(handler, message)
        if answer["ok"] and commits:
            committed.add((session, number))
    finally:
        release(session)
    if not answer["ok"]:
        well = commits and was_committed(handler, session, number)
        answer = {"ok": 1} if well else transient(251, "NoSuchTransaction")
    return request_id, answer


def remember(body, database):
    """Notes definitions of collections and indexes, and cuts from the command what nx-27017 cannot do."""
    name = body.get("create") or body.get("collMod") or body.get("createIndexes")
    kept = collections.setdefault((database, name), {"options": {}, "indexes": {}})
    if "validator" in body:
        kept["options"] = {option: body[option] for option in ("validator", "validationLevel") if option in body}
    for index in body.get("indexes", []):
        kept["indexes"][index["name"]] = dict(index, v=2)
        if len(index["key"]) > 1:
            index["key"] = {field: way for field, way in index["key"].items() if field != "_id"}


def recall(body, database, answer):
    """Puts what was noted into the answers that tell of it."""
    batch = answer.get("cursor", {}).get("firstBatch", [])
    if "listCollections" in body:
        batch[:] = [entry for entry in batch if entry["name"] != "committed"]
        for entry in batch:
            entry["options"] = collections.get((database, entry["name"]), {}).get("options", {})
            # Its UUID is text, which drivers do not take.
            entry["info"] = {"readOnly": False}
    elif "listIndexes" in body:
        kept = collections.get((database, body["listIndexes"]), {}).get("indexes", {})
        batch[:] = [{"v": 2, "key": {"_id": 1}, "name": "_id_"}, *kept.values()]


def as_text(wanted):
    """What a filter wants, with the text of each ObjectId."""
    if isinstance(wanted, dict):
        return {operator: as_text(operand) for operator, operand in wanted.items()}
    if isinstance(wanted, list):
        return [as_text(one) for one in wanted]
    return str(wanted) if isinstance(wanted, ObjectId) else wanted


def unless_it_sets_a_date(original):
    def can_use_sql_updates(self, update, *rest):
        dates = any(isinstance(value, datetime) for value in update.get("$set", {}).values())
        return not dates and original(self, update, *rest)

    return can_use_sql_updates


def mended(original):
    def handle(self, message):
        body = next(section for kind, section in message["sections"] if kind == "body")
        database = body.get("$db", "test")
        session = nx._extract_session_id(body["lsid"]) if "lsid" in body else None
        if "commitTransaction" in body or "abortTransaction" in body:
            return end(self, original, message, body, session)
        if any(name in body for name in ("hello", "isMaster", "ismaster", "ping", "endSessions")):
            return original(self, message)
        inside, begins = body.get("autocommit") is False, bool(body.get("startTransaction"))
        refusal = take_turn(self, database, session, begins, inside)
        if refusal:
            return message["request_id"], refusal
        try:
            return execute(self, original, message, body, database, begins)
        finally:
            if not inside:
                end_plain(database)

    return handle


def execute(handler, original, message, body, database, begins):
    """Does a command whose turn it is."""
    asked = dict(body)
    if begins:
        with handler._lock_for(database):
            handler._get_or_create_session(body, handler.get_database(database), database)
    if any(name in body for name in ("create", "collMod", "createIndexes")):
        if "create" in body and (database, body["create"]) in collections:
            exists = {"ok": 0, "code": 48, "codeName": "NamespaceExists", "errmsg": "collection already exists"}
            return message["request_id"], exists
        remember(body, database)
    if "find" in body:
        body["filter"] = {
            field: {"$in": [wanted]} if field != "_id" and isinstance(wanted, ObjectId) else wanted
            for field, wanted in body.get("filter", {}).items()
        }
    for match in (stage["$match"] for stage in body.get("pipeline", []) if "$match" in stage):
        if "_id" in match:
            match["_id"] = as_text(match["_id"])
    if "dropDatabase" in body:
        for key in [key for key in collections if key[0] == database]:
            del collections[key]
    request_id, answer = original(handler, message)
    recall(asked, database, answer)
    return request_id, answer


QueryHelper._can_use_sql_updates = unless_it_sets_a_date(QueryHelper._can_use_sql_updates)
nx.NeoSQLiteHandler.handle_command = mended(nx.NeoSQLiteHandler.handle_command)
nx.NeoSQLiteHandler.handle_insert = mended(nx.NeoSQLiteHandler.handle_insert)

if __name__ == "__main__":
    # A thread a connection: those that wait for a turn must not keep the one whose turn it is from being heard.
    sys.argv.append("--threaded")
    main()
