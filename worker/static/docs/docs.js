/**
 * Shows /openapi.json with Swagger UI. Runs in the browser; asks this origin only, and sends the document to no validator. Credentials
 * that are typed in for trying calls out are forgotten with the page.
 */
window.SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#description',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  persistAuthorization: false,
  validatorUrl: null,
})
