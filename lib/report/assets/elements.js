/** Makes an element. Text only ever becomes text: there is no way to hand in HTML. */
export function element(name, { className, text, attributes = {}, children = [] } = {}) {
  const made = document.createElement(name)
  if (className !== undefined) made.className = className
  if (text !== undefined) made.textContent = text
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.append(...children)
  return made
}
