// The page that leads to an identity provider sends its form by itself.
"use strict";

document.getElementById("leave").submit();
