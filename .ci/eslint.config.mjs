import js from "@eslint/js";

export default [
  {
    ...js.configs.recommended,
    files: ["hoptim/**/*.js"],
    languageOptions: { sourceType: "script" },
    rules: {
      ...js.configs.recommended.rules,
      "no-undef": "off", // a page joins its files into one scope, which tsc sees as a whole
      "no-unused-vars": ["error", { vars: "local" }],
    },
  },
];
