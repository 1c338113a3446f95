// Rows: tables and lists that are updated in place, so that what a reader has selected stays selected.
//
// Whatever comes from the network (names, addresses) is put in by textContent, never as markup; the content security
// policy would refuse anything else.

export function element(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

/* Writes only what changed: a text that is written again loses the reader's selection. */
export function setText(node, text) {
  text = String(text);
  if (node.textContent !== text) node.textContent = text;
}

export function setClass(node, className) {
  if (node.className !== className) node.className = className;
}

/* One child of `container` for each item, in their order; a child stays with its key. `make()` makes one, `update` fills it. */
export function keyed(container, items, key, make, update) {
  const known = new Map([...container.children].map((child) => [child.dataset.key, child]));
  let at = container.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let child = known.get(name);
    known.delete(name);
    if (!child) {
      child = make(item);
      child.dataset.key = name;
    }
    if (child === at) at = at.nextElementSibling;
    else container.insertBefore(child, at);
    update(child, item);
  }
  for (const child of known.values()) child.remove();
}

/* Rows of cells: [text, class, heading for narrow screens]. */
export function tableRow(row, cells) {
  cells.forEach(([text, className, head], i) => {
    const cell = row.children[i] ?? row.appendChild(element("td"));
    if (head && cell.dataset.head !== head) cell.dataset.head = head;
    setClass(cell, className ?? "");
    setText(cell, text);
  });
}

/* Pairs of a term and a figure, and what stands small behind it. */
export function terms(container, pairs) {
  keyed(
    container,
    pairs.map(([term, figure, small]) => ({ term, figure, small: small ?? "" })),
    (pair) => pair.term,
    (pair) => {
      const made = element("div");
      const value = element("dd");
      value.append(element("span"), element("small"));
      made.append(element("dt", "", pair.term), value);
      return made;
    },
    (made, pair) => {
      setText(made.querySelector("span"), pair.figure);
      setText(made.querySelector("small"), pair.small);
    },
  );
}
