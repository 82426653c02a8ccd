import pytest

from omniroute_addon.web.plurals import categories, category


@pytest.mark.parametrize(
    "code, forms",
    [
        ("en", "other one other other other other other"),
        ("fr", "one one other other other other other"),
        ("pt-BR", "one one other other other other other"),
        ("pt", "other one other other other other other"),
        ("no", "other one other other other other other"),
        ("ms", "other other other other other other other"),
        ("ru", "many one few many many one few"),
        ("pl", "many one few many many many few"),
        ("sk", "other one few other other other other"),
        ("ro", "few one few few few other other"),
        ("he", "other one two other other other other"),
        ("ar", "zero one two few many many many"),
        ("hi", "one one other other other other other"),
        ("uk", "many one few many many one few"),
        ("zh-CN", "other other other other other other other"),
        ("ja", "other other other other other other other"),
        ("phi", "one one one one one one one"),
    ],
)
def test_the_form_of_0_1_2_5_11_21_and_22(code: str, forms: str) -> None:
    assert [category(code, number) for number in (0, 1, 2, 5, 11, 21, 22)] == forms.split()


def test_filipino_links_a_number_that_ends_in_4_6_or_9_in_another_way() -> None:
    assert {number for number in range(21) if category("fil", number) == "other"} == {4, 6, 9, 14, 16, 19}


def test_the_forms_that_a_catalogue_needs() -> None:
    assert (categories("de"), categories("ja")) == ({"one", "other"}, {"other"})
    assert categories("ar") == {"zero", "one", "two", "few", "many", "other"}
