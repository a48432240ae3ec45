"""The load balancer: HTTPS and the web application firewall."""

from typing import Any

from tests.support.synthesised import MINIMAL

GUARDED = MINIMAL + "[load_balancer]\nwaf = true\n"


def test_a_domain_gives_https_with_tls_1_3_and_redirects_http(synthesised: Any) -> None:
    stack = synthesised(
        MINIMAL + '[load_balancer]\ndomain_name = "api.example.com"\nhosted_zone_id = "Z0123"\n'
    )["tiny-e"]
    secure = stack.one("aws_lb_listener", port=443)
    assert secure["protocol"] == "HTTPS"
    assert "TLS13" in secure["ssl_policy"]
    assert stack.one("aws_lb_listener", port=80)["default_action"][0]["type"] == "redirect"
    assert stack.one("aws_acm_certificate")["validation_method"] == "DNS"


def with_hosts(*hosts: str) -> str:
    services = (
        f'[services.s{number}]\nsource = "backend"\nhost = "{host}"\n'
        for number, host in enumerate(hosts)
    )
    domain = '[load_balancer]\ndomain_name = "example.com"\nhosted_zone_id = "Z0123"\n'
    return f'name = "tiny-e"\n{domain}{"".join(services)}'


def test_each_name_of_a_certificate_is_proved_by_a_record_of_its_own(synthesised: Any) -> None:
    stack = synthesised(with_hosts("shop.example.com", "*.example.com"))["tiny-e"]
    certificate = stack.one("aws_acm_certificate", domain_name="example.com")
    assert certificate["subject_alternative_names"] == ["*.example.com", "shop.example.com"]
    options = stack.reference("aws_acm_certificate", "domain_validation_options")[2:-1]
    (proof,) = (r for r in stack.all("aws_route53_record") if "for_each" in r)
    # The wildcard's record would be that of example.com once more.
    assert proof["for_each"] == (
        f"${{{{for option in {options} : option.domain_name => option"
        ' if !contains(["*.example.com"], option.domain_name)}}'
    )
    assert set(aliases(stack)) == {"example.com", "*.example.com", "shop.example.com"}


def test_a_name_that_is_added_changes_no_record_of_another(synthesised: Any) -> None:
    before = aliases(synthesised(with_hosts("b.example.com", "d.example.com"))["tiny-e"])
    after = aliases(
        synthesised(with_hosts("b.example.com", "d.example.com", "c.example.com"))["tiny-e"]
    )
    assert before.items() < after.items()


def aliases(stack: Any) -> dict[str, str]:
    """The Terraform names of the records that lead to the load balancer, by the names in them."""
    records = stack.values["resource"]["aws_route53_record"].items()
    return {record["name"]: key for key, record in records if "alias" in record}


def test_a_web_application_firewall_stands_before_the_load_balancer_only_if_it_is_switched_on(
    synthesised: Any, seed: Any
) -> None:
    stack = synthesised(GUARDED)["tiny-e"]
    acl = stack.one("aws_wafv2_web_acl", scope="REGIONAL")
    assert acl["default_action"] == {"allow": {}}
    assert stack.one(
        "aws_wafv2_web_acl_association",
        resource_arn=stack.reference("aws_lb", "arn"),
        web_acl_arn=stack.reference("aws_wafv2_web_acl", "arn"),
    )
    assert not seed["prod-e"].all("aws_wafv2_web_acl")


def test_the_firewall_limits_each_address_and_has_the_managed_rules_of_aws_block(
    synthesised: Any,
) -> None:
    rules = synthesised(GUARDED)["tiny-e"].one("aws_wafv2_web_acl")["rule"]
    limit, *managed = sorted(rules, key=lambda rule: int(rule["priority"]))
    assert limit["statement"]["rate_based_statement"] == {
        "limit": 2000, "aggregate_key_type": "IP"
    }  # fmt: skip
    assert limit["action"] == {"block": {}}
    groups = [rule["statement"]["managed_rule_group_statement"] for rule in managed]
    assert [(group["vendor_name"], group["name"]) for group in groups] == [
        ("AWS", "AWSManagedRulesAmazonIpReputationList"),
        ("AWS", "AWSManagedRulesKnownBadInputsRuleSet"),
        ("AWS", "AWSManagedRulesCommonRuleSet"),
    ]
    # Bodies are the service's to judge.
    assert all(
        override["name"].endswith("_BODY")
        for group in groups
        for override in group["rule_action_override"]
    )
    # "none" leaves each other rule's own action, which is to block.
    assert all(rule["override_action"] == {"none": {}} for rule in managed)
    assert len({rule["priority"] for rule in rules}) == len(rules)
