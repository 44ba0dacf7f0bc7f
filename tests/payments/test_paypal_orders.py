from typing import Any

import pytest

from payments.payment import payment
from voiceagent.payments.paypal_orders import finding_of, payer_link
from voiceagent.payments.ports import Unanswered


@pytest.mark.parametrize("odd", [{}, [], [{}], 1, None, {"reason": "x"}])
def test_whatever_stands_for_a_status_is_not_understood(odd: Any) -> None:
    capture = {"id": "CAPTURE", "status": odd, "status_details": odd}
    unit = {"custom_id": str(payment().id), "payments": {"captures": [capture]}}
    assert isinstance(finding_of({"status": odd, "purchase_units": [unit]}, payment()), Unanswered)


@pytest.mark.parametrize("odd", [{}, [], 1, None])
def test_links_of_no_name_lead_nowhere(odd: Any) -> None:
    links = [{"rel": odd, "href": "https://other.example.com"}, odd]
    assert payer_link({"links": links}) == ""
    approve = {"rel": "approve", "href": "https://provider.example.com"}
    assert payer_link({"links": [*links, approve]}) == approve["href"]
