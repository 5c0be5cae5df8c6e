"""Questions in Spark's SQL: what people ask of the view `events`, taken apart and written anew before it runs.

What is judged is what runs: the text that Spark is given is written from the tree that was judged.
"""

from __future__ import annotations

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

from kubewitness.model.event import BY_NAME
from kubewitness.query.questions import TABLE, Question, QuestionError

_DIALECT = "spark"
_EXAMPLE = "kubewitness sql 'SELECT verb, count(*) FROM events GROUP BY verb' --store DIR --engine spark"
# Of Java, of files and of the machine, not of events.
_REFUSED = frozenset(
    "java_method reflect try_reflect read_files input_file_name input_file_block_start input_file_block_length"
    " current_user current_catalog current_database current_schema session_user user version spark_partition_id"
    " http_request ai_query from_avro to_avro from_protobuf to_protobuf read_kafka read_pubsub read_pulsar".split()
)


def parse_spark_question(sql: str) -> Question:
    """The question that a text in Spark's SQL asks, when it is one that can be asked of `events`.

    Args:
        sql: one SELECT or WITH.

    Raises:
        QuestionError: it cannot be asked; says why.
    """
    try:
        statements = [each for each in parse(sql, read=_DIALECT) if each is not None]
    except (SqlglotError, RecursionError) as error:
        message = str(error).splitlines()[0]
        raise QuestionError(message, where="query", hint=_EXAMPLE) from error
    if len(statements) != 1:
        raise QuestionError("one query at a time", where="query", hint=_EXAMPLE)
    (tree,) = statements
    if not isinstance(tree, exp.Query):
        raise QuestionError("only queries that read can be asked", where="query", hint="one SELECT or WITH")
    named = {each.alias_or_name.lower() for each in tree.find_all(exp.CTE)}
    for node in tree.walk():
        _demand_reading(node, named)
    names = {node.name.lower() for node in tree.find_all(exp.Column)}
    everything = any(not isinstance(star.parent, exp.Count) for star in tree.find_all(exp.Star))
    columns = tuple(name for name in BY_NAME if everything or name in names)
    return Question(tree.sql(_DIALECT), columns)


def _demand_reading(node: exp.Expr, named: set[str]) -> None:
    if isinstance(node, exp.DML | exp.DDL | exp.Command | exp.Into) and not isinstance(node, exp.Query):
        raise QuestionError("a query may only read", where="query", hint="one SELECT or WITH")
    if isinstance(node, exp.Table):
        if not isinstance(node.this, exp.Identifier):
            raise QuestionError(
                f"`{node.this.sql(_DIALECT)}` cannot be read from", where="query", hint="lists: explode()"
            )
        name = ".".join(part.name for part in node.parts)
        if name.lower() not in {TABLE, *named}:
            raise QuestionError(f"there is no table `{name}`", where="query", hint=f"the only table is `{TABLE}`")
    if isinstance(node, exp.Func):
        name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
        if name.lower() in _REFUSED:
            raise QuestionError(
                f"the function `{name.lower()}` cannot be used here", where="query", hint="it is not about events"
            )
