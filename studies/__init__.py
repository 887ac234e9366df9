"""(docstring to come)"""

if __name__ != "nas_fusion.studies":
    raise ImportError("import this package as nas_fusion.studies, not as `studies`")
