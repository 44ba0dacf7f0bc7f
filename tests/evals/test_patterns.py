import pytest

from voiceagent.evals.patterns import Pattern


class TestWords:
    def test_are_found_whatever_the_case_and_the_punctuation(self) -> None:
        assert Pattern("two rooms").found_in("Well: TWO rooms, please.")

    def test_are_whole_words(self) -> None:
        assert not Pattern("rent").found_in("the current one")

    def test_stand_one_after_the_other(self) -> None:
        assert not Pattern("two rooms").found_in("two big rooms")

    def test_are_hebrew_without_its_points(self) -> None:
        assert Pattern("שלום לכם").found_in("שָׁלוֹם, לכם!")

    def test_may_have_to_be_all(self) -> None:
        assert Pattern("Dana Cohen").is_all_of("dana cohen.")
        assert not Pattern("Dana").is_all_of("Dana Cohen")

    @pytest.mark.parametrize("source", ["", "…", "//"])
    def test_must_be_there(self, source: str) -> None:
        with pytest.raises(ValueError, match="no words"):
            Pattern(source)


class TestExpression:
    def test_stands_between_slashes(self) -> None:
        assert Pattern("/automat|robot/").found_in("An automated assistant")

    def test_sees_plain_words(self) -> None:
        assert Pattern("/^yes it is$/").found_in("Yes, it is!")

    def test_may_have_to_match_all(self) -> None:
        assert Pattern("/haifa|jaffa/").is_all_of("Jaffa")
        assert not Pattern("/haifa|jaffa/").is_all_of("old Jaffa")

    def test_must_be_readable(self) -> None:
        with pytest.raises(ValueError, match="no regular expression"):
            Pattern("/(/")
