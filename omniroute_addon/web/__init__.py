"""Pages inside mitmweb, each with a JSON twin: what people watch all day, and what scripts ask.

``resource`` is what a page is; ``pages`` has them, one module each; ``handlers`` serves them behind mitmweb's login;
``mount`` puts them into its application. docs/web.md tells how to add one.
"""
