"""The only place that knows mitmproxy hooks: intercept (routing), inspect (what mitmweb shows), contentview, lifecycle."""
