/** A list to choose from that can be searched by typing: the combobox pattern of the ARIA guide. */
import { element } from './elements.js'

/** @param options {names, choose(index)} */
export function createChooser({ input, list }, { names, choose }) {
  let current = 0
  let active = 0
  let matches = []
  input.value = names[0]

  function open(wanted) {
    const text = wanted.trim().toLowerCase()
    matches = [...names.keys()].filter((index) => names[index].toLowerCase().includes(text))
    active = Math.max(0, matches.indexOf(current))
    list.replaceChildren(
      ...matches.map((index) => {
        const option = element('li', {
          attributes: { role: 'option', id: `option-${index}`, 'aria-selected': String(index === current) },
          children: [element('bdi', { text: names[index] })],
        })
        // before the field loses the focus, which closes the list
        option.addEventListener('pointerdown', (event) => {
          event.preventDefault()
          take(index)
        })
        return option
      }),
    )
    if (matches.length === 0)
      list.append(element('li', { className: 'nothing', text: 'Nothing has this name' }))
    list.hidden = false
    input.setAttribute('aria-expanded', 'true')
    markActive()
  }

  /** The name gives way to what will be typed. */
  function openAll() {
    input.placeholder = names[current]
    input.value = ''
    open('')
  }

  function close() {
    list.hidden = true
    input.value = names[current]
    input.setAttribute('aria-expanded', 'false')
    input.removeAttribute('aria-activedescendant')
  }

  function take(index) {
    current = index
    close()
    choose(index)
  }

  function markActive() {
    for (const [place, option] of [...list.children].entries()) {
      option.classList.toggle('active', place === active && matches.length > 0)
      if (place === active) option.scrollIntoView({ block: 'nearest' })
    }
    if (matches.length > 0) input.setAttribute('aria-activedescendant', `option-${matches[active]}`)
    else input.removeAttribute('aria-activedescendant')
  }

  function step(by) {
    if (list.hidden) return openAll()
    active = Math.min(matches.length - 1, Math.max(0, active + by))
    markActive()
  }

  for (const event of ['focus', 'click'])
    input.addEventListener(event, () => {
      if (list.hidden) openAll()
    })
  input.addEventListener('blur', close)
  input.addEventListener('input', () => {
    // typed into the name that stands there after a choice
    if (list.hidden) input.value = input.value.replace(names[current], '')
    open(input.value)
  })
  input.addEventListener('keydown', (event) => {
    const actions = {
      ArrowDown: () => step(1),
      ArrowUp: () => step(-1),
      Enter: () => !list.hidden && matches.length > 0 && take(matches[active]),
      Escape: close,
    }
    const action = actions[event.key]
    if (action === undefined) return
    event.preventDefault()
    action()
  })
  return {
    choose(index) {
      current = index
      input.value = names[index]
      choose(index)
    },
  }
}
