// An element with attributes, listeners (onclick...) and children.
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.flat().filter(child => child !== null && child !== undefined));
  return element;
}

// What screen readers say, and others see for a moment.
export const say = text => document.getElementById('status').replaceChildren(...(text ? [el('span', {}, text)] : []));

export const bytesOf = base64 => Uint8Array.from(atob(base64), c => c.charCodeAt(0));

export const base64Of = async blob => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(',') + 1));
  reader.onerror = () => reject(reader.error);
  reader.readAsDataURL(blob);
});

export const bytes = count => count > 1e9 ? `${(count / 1e9).toFixed(1)} GB` : count > 1e6 ? `${(count / 1e6).toFixed(1)} MB` : `${Math.round(count / 1e3)} kB`;
