import pytest

from studio.core.errors import InputError
from studio.metrics.metric import score_rows
from studio.metrics.user_metric import load_user_metric
from tests.evaluation.row_makers import row_of


@pytest.fixture
def written(tmp_path):
    def write(text, name="units.py"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_a_file_with_one_function_is_a_metric(written):
    metric = load_user_metric(
        written(
            "LABEL = 'Units'\nHIGHER_IS_BETTER = False\n"
            "def score(prediction, accepted, row):\n"
            "    return None if not accepted else prediction.count('m') / len(accepted)\n"
        )
    )
    assert (metric.name, metric.label, metric.higher_is_better) == ("units", "Units", False)
    scores = score_rows(metric, ["mm", "m"], [row_of("a", "b"), row_of()])
    assert scores.scores == (1.0, None)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no function score"),
        ("score = 3", "no function score"),
        ("def score(:", "SyntaxError"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_error(written, text, sentence):
    path = written(text)
    with pytest.raises(InputError) as caught:
        load_user_metric(path)
    assert sentence in str(caught.value)
    assert str(path) in str(caught.value)
    assert "Write a Python file" in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"absent\.py is no Python file"):
        load_user_metric(tmp_path / "absent.py")


def test_what_is_no_python_file_is_not_run(written):
    with pytest.raises(InputError, match="is no Python file"):
        load_user_metric(written("raise RuntimeError('run')", "units.txt"))


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("return 1 / 0", "ZeroDivisionError: division by zero"),
        ("return 'good'", "returned 'good', which is no number"),
        ("return '1'", "returned '1', which is no number"),
        ("return float('nan')", "returned nan"),
        ("return [1]", "returned [1]"),
    ],
)
def test_an_error_names_file_row_and_error(written, body, sentence):
    path = written(f"def score(prediction, accepted, row):\n    {body}\n")
    metric = load_user_metric(path)
    with pytest.raises(InputError) as caught:
        metric.score("a", ("b",), row_of("b", external_id="row-7"))
    assert sentence in str(caught.value)
    assert f"{path}, row row-7" in str(caught.value)


def test_true_counts_as_one(written):
    path = written("def score(prediction, accepted, row):\n    return prediction in accepted\n")
    assert load_user_metric(path).score("b", ("b",), row_of("b")) == 1.0
